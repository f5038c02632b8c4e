package consent

import (
	"maps"
	"reflect"
	"testing"

	"github.com/datafly/signal/event"
)

func TestRead(t *testing.T) {
	mapping := Mapping{"C0002": {Analytics}, "C0004": {Marketing}, "C0005": {Marketing, Personalization}}
	tests := []struct {
		name string
		raw  string // context.consent
		gpc  bool
		want map[Bucket]bool
	}{
		{name: "nothing is known of nothing", raw: `{}`},
		{name: "categories through the mapping", raw: `{"categories":{"C0002":true,"C0004":false}}`, want: map[Bucket]bool{Analytics: true, Marketing: false}},
		{name: "several codes feed one bucket: any grant counts", raw: `{"categories":{"C0004":false,"C0005":true}}`, want: map[Bucket]bool{Marketing: true, Personalization: true}},
		{name: "an unmapped code grants nothing", raw: `{"categories":{"C0099":true}}`},
		{name: "the canonical view alone", raw: `{"canonical":{"marketing":true,"essential":false}}`, want: map[Bucket]bool{Marketing: true}},
		{name: "an explicit canonical key wins over categories", raw: `{"categories":{"C0004":true},"canonical":{"marketing":false}}`, want: map[Bucket]bool{Marketing: false}},
		{name: "marketing wins over advertising", raw: `{"canonical":{"advertising":true,"marketing":false}}`, want: map[Bucket]bool{Marketing: false}},
		{name: "advertising counts as marketing", raw: `{"advertising":true}`, want: map[Bucket]bool{Marketing: true}},
		{name: "the flat form", raw: `{"analytics":true,"functional":"denied"}`, want: map[Bucket]bool{Analytics: true, Functional: false}},
		{name: "the flat form with the banner's codes", raw: `{"C0004":1}`, want: map[Bucket]bool{Marketing: true}},
		{name: "every word for yes and no", raw: `{"analytics":"yes","marketing":"0","functional":1,"personalization":"granted"}`, want: map[Bucket]bool{Analytics: true, Marketing: false, Functional: true, Personalization: true}},
		{name: "anything else counts as absent", raw: `{"canonical":{"marketing":"maybe","analytics":2,"functional":null}}`},
		{name: "the browser's privacy control denies", raw: `{"canonical":{"marketing":true,"analytics":true}}`, gpc: true, want: map[Bucket]bool{Marketing: false, Personalization: false, Analytics: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			field, err := event.DecodeTree([]byte(tt.raw))
			if err != nil {
				t.Fatal(err)
			}
			if got := Read(field, mapping, tt.gpc).Canonical; !maps.Equal(got, tt.want) {
				t.Errorf("Read(%s) = %v, want %v", tt.raw, got, tt.want)
			}
		})
	}
	if got := Read("no object", mapping, false); got.Known() {
		t.Errorf("text was read as consent: %v", got)
	}
}

func TestMergeIsKeyByKey(t *testing.T) {
	last := State{Canonical: map[Bucket]bool{Marketing: true, Analytics: true}}
	got := last.Merge(State{Canonical: map[Bucket]bool{Marketing: false}})
	want := map[Bucket]bool{Marketing: false, Analytics: true}
	if !reflect.DeepEqual(got.Canonical, want) {
		t.Errorf("Merge = %v, want %v", got.Canonical, want)
	}
	if !last.Canonical[Marketing] {
		t.Error("Merge wrote into the older state")
	}
}

// Every state of two buckets against every need and both policies.
func TestDecideEveryCombination(t *testing.T) {
	values := []string{"granted", "denied", "unknown"}
	for _, a := range values {
		for _, b := range values {
			for _, policy := range []Policy{Deny, Allow, ""} {
				for needs := range 4 {
					s := State{Canonical: map[Bucket]bool{}}
					var want []Bucket
					open := true
					for i, v := range []string{a, b} {
						bucket := Buckets[i+2]
						if v != "unknown" {
							s.Canonical[bucket] = v == "granted"
						}
						if needs&(1<<i) == 0 {
							continue
						}
						want = append(want, bucket)
						open = open && (v == "granted" || v == "unknown" && policy == Allow)
					}
					got := Decide(s, want, policy)
					if got.Granted != open || (got.Reason == "") != open {
						t.Errorf("Decide(%v, %v, %q) = %+v, want granted %v", s.Canonical, want, policy, got, open)
					}
				}
			}
		}
	}
}

func TestDecideWords(t *testing.T) {
	s := State{Canonical: map[Bucket]bool{Marketing: false}}
	if got, want := Decide(s, []Bucket{Marketing}, Deny).Reason, "consent: marketing is not granted"; got != want {
		t.Errorf("reason = %q, want %q", got, want)
	}
	if got, want := Decide(State{}, []Bucket{Marketing, Analytics}, Deny).Reason, "consent: marketing and analytics are not known yet"; got != want {
		t.Errorf("reason = %q, want %q", got, want)
	}
	if d := Decide(State{}, []Bucket{Essential}, Deny); !d.Granted {
		t.Error("a gate on essential is shut")
	}
}
