package identity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/event"
)

func contextOf(t testing.TB, raw string) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(raw)))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return out
}

func TestArrive(t *testing.T) {
	page := func(url, referrer string) string {
		return fmt.Sprintf(`{"page":{"url":%q,"referrer":%q}}`, url, referrer)
	}
	const shop = "https://www.shop.example/"
	long := strings.Repeat("ü", 501)
	tests := []struct {
		name     string
		contexts []string // of the session's events
		campaign string   // as Go prints it; "map[]" for none
		referrer string
		landed   bool
	}{
		{"nothing is said", []string{`{}`, `null`, `{"page":7,"campaign":"x"}`}, "map[]", "", false},
		{"a page that nothing led to", []string{page(shop, "")}, "map[]", "", true},
		{"the collector's campaign", []string{`{"campaign":{"source":"news","medium":"email","name":"spring","gclid":"g1"},"page":{"url":"https://www.shop.example/?utm_source=other"}}`}, "map[gclid:g1 medium:email name:spring source:news]", "", true},
		{"numbers keep their digits, and what is no plain value is left out", []string{`{"campaign":{"id":12345678901234567890,"x":true,"y":null,"z":{},"term":1.50,"w":" "}}`}, "map[id:12345678901234567890 term:1.50]", "", false},
		{"a campaign of nothing is none", []string{`{"campaign":{"source":"","x":[]}}`, `{"campaign":{"source":"later"}}`}, "map[source:later]", "", false},
		{"else the parameters of the page's address, as the collector reads them", []string{page(shop+"?a=1&utm_source=news%20letter&utm_campaign=spring&utm_id=007&gclid=g1&fbclid=&utm_term=a&utm_term=b#utm_source=x", "")}, "map[gclid:g1 id:007 name:spring source:news letter term:b]", "", true},
		{"each click id", []string{page(shop+"?gclid=1&gbraid=2&wbraid=3&dclid=4&fbclid=5&msclkid=6&ttclid=7&twclid=8&li_fat_id=9&xclid=0", "")}, "map[dclid:4 fbclid:5 gbraid:2 gclid:1 li_fat_id:9 msclkid:6 ttclid:7 twclid:8 wbraid:3]", "", true},
		{"a parameter that is cut hurts no other", []string{page(shop+"?utm_source=%zz&gclid=1", "")}, "map[gclid:1]", "", true},
		{"a fragment is no query", []string{page(shop+"#?utm_source=x", "")}, "map[]", "", true},

		{"a site that led here", []string{page(shop, "https://WWW.Google.com:443/search?q=x")}, "map[]", "www.google.com", true},
		{"beside a campaign of the same event", []string{page(shop+"?gclid=1", "https://www.google.com/")}, "map[gclid:1]", "www.google.com", true},
		{"not the site itself", []string{page(shop, "https://blog.shop.example/a")}, "map[]", "", true},
		{"nor under a country's second level", []string{page("https://www.shop.co.uk/", "https://blog.shop.co.uk/")}, "map[]", "", true},
		{"where a neighbour is another site", []string{page("https://www.shop.co.uk/", "https://other.co.uk/")}, "map[]", "other.co.uk", true},
		{"an address in digits is a site of its own", []string{page("http://10.0.0.1/", "http://10.1.0.1/")}, "map[]", "10.1.0.1", true},
		{"and one in IPv6", []string{page("http://[::1]:8080/", "http://[::2]/")}, "map[]", "::2", true},
		{"an app or a path led to nothing", []string{page(shop, "android-app://com.example"), page(shop, "/cart")}, "map[]", "", true},
		{"a referrer without a page's address says nothing", []string{`{"page":{"referrer":"https://www.google.com/"}}`}, "map[]", "", false},
		{"nor one of a page that is a path", []string{page("/cart", "https://www.google.com/")}, "map[]", "", false},

		{"the first event that says so counts", []string{`{}`, `{"campaign":{"source":"a"}}`, `{"campaign":{"source":"b"}}`}, "map[source:a]", "", false},
		{"a campaign may come after a page that nothing led to", []string{page(shop, ""), page(shop+"?utm_source=x", "")}, "map[source:x]", "", true},
		{"a referrer may not: it is a step within the visit", []string{page(shop, ""), page(shop, "https://pay.example.com/")}, "map[]", "", true},
		{"a referrer settles it", []string{page(shop, "https://a.example.com/"), page(shop+"?utm_source=x", "https://b.example.com/")}, "map[]", "a.example.com", true},
		{"a server's event before the first page does not", []string{`{}`, page(shop, "https://a.example.com/")}, "map[]", "a.example.com", true},
		{"but a campaign of one does", []string{`{"campaign":{"source":"till"}}`, page(shop, "https://a.example.com/")}, "map[source:till]", "", true},

		{"a long value is cut", []string{`{"campaign":{"source":"` + long + `"}}`}, "map[source:" + strings.Repeat("ü", 500) + "]", "", false},
		{"a long name is none", []string{`{"campaign":{"` + strings.Repeat("a", 101) + `":"x","b":"y"}}`}, "map[b:y]", "", false},
		{"a long host is none", []string{page(shop, "https://"+strings.Repeat("a", 501)+".com/")}, "map[]", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s Session
			for _, raw := range tt.contexts {
				s.Arrive(contextOf(t, raw))
			}
			if got := fmt.Sprint(s.Campaign); got != tt.campaign || s.Referrer != tt.referrer || s.Landed != tt.landed {
				t.Errorf("campaign %s, referrer %q, landed %v\nwant %s, %q, %v", got, s.Referrer, s.Landed, tt.campaign, tt.referrer, tt.landed)
			}
		})
	}
}

func TestArriveIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 30 {
		fmt.Fprintf(&b, `,"k%02d":"v"`, i)
	}
	var s Session
	s.Arrive(contextOf(t, `{"campaign":{`+b.String()[1:]+`}}`))
	if len(s.Campaign) != 20 || s.Campaign["k00"] == "" || s.Campaign["k19"] == "" {
		t.Errorf("%d values, %v; want the first 20", len(s.Campaign), s.Campaign)
	}
}

// A new session begins with nothing of the one before, and what is written
// down is read back the same.
func TestASessionForgetsTheOneBefore(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	v := Visitor{AnonymousID: "a"}
	v.Touch(at, Rules{}, salt)
	v.Session.Arrive(contextOf(t, `{"campaign":{"source":"x"},"page":{"url":"https://a.example/","referrer":"https://b.test/"}}`))
	v.Session.Made("shop/x", []string{"mrktInfo"}, event.Place{Seq: 3, Index: 1})

	kept, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var read Visitor
	if err := json.Unmarshal(kept, &read); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read, v) {
		t.Errorf("read back %+v, want %+v", read, v)
	}

	vid := v.Session.Vid
	v.Touch(at.Add(time.Hour), Rules{}, salt)
	if want := (Session{Vid: vid, Sid: v.Session.Sid, Start: at.Add(time.Hour), Last: at.Add(time.Hour)}); !reflect.DeepEqual(v.Session, want) {
		t.Errorf("the next session is %+v, want %+v", v.Session, want)
	}
}

// A copy of a visitor, which is written down by another goroutine, does not
// change with the visitor.
func TestMadeLeavesCopiesAlone(t *testing.T) {
	var s Session
	s.Made("shop/x", []string{"a"}, event.Place{Seq: 1})
	before := s
	s.Made("shop/x", []string{"b"}, event.Place{Seq: 2})
	s.Made("shop/y", []string{"a"}, event.Place{Seq: 3})
	s.Made("shop/y", nil, event.Place{Seq: 4})
	if got := fmt.Sprint(before.Once); got != "map[shop/x:map[a:{1 0}]]" {
		t.Errorf("the copy became %s", got)
	}
	if got := fmt.Sprint(s.Once); got != "map[shop/x:map[a:{1 0} b:{2 0}] shop/y:map[a:{3 0}]]" {
		t.Errorf("once = %s", got)
	}
}

// Whatever stands in a context, Arrive stays within its bounds and says the
// same each time.
func FuzzArrive(f *testing.F) {
	f.Add(`{"campaign":{"source":"x"},"page":{"url":"https://a.example/?utm_source=x&gclid=%","referrer":"https://b.test/"}}`)
	f.Add(`{"page":{"url":"http://[::1]:80/?utm_=x&=y","referrer":"https://user:pw@host:1/"}}`)
	f.Add(`{"page":{"url":"https://..","referrer":"https://a.b.c."}}`)
	f.Fuzz(func(t *testing.T, raw string) {
		d := json.NewDecoder(strings.NewReader(raw))
		d.UseNumber()
		var context map[string]any
		if d.Decode(&context) != nil {
			return
		}
		var s, again Session
		s.Arrive(context)
		again.Arrive(context)
		if !reflect.DeepEqual(s, again) {
			t.Fatalf("%s gives %+v and %+v", raw, s, again)
		}
		if len(s.Campaign) > maxCampaign || len(s.Referrer) > maxCampaignValue || s.Campaign != nil && len(s.Campaign) == 0 {
			t.Fatalf("%s gives %+v", raw, s)
		}
		for name, value := range s.Campaign {
			if name == "" || value == "" || len(name) > maxCampaignName || len([]rune(value)) > maxCampaignValue {
				t.Fatalf("%s gives %q = %q", raw, name, value)
			}
		}
	})
}
