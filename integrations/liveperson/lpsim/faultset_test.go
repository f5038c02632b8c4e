package lpsim

import (
	"fmt"
	"strings"
	"testing"
)

// A fault meets only the calls that it is for.
func TestFaultsAreForSomeCalls(t *testing.T) {
	engage := strings.Replace(address, "/report", "/engagement", 1)
	cart := seedTry(attributes(`{"type":"cartStatus","total":1,"numItems":1}`))
	tests := []struct {
		fault string
		try   try
		met   bool
	}{
		{`{"status":503,"sub":"5be2f7a8-0c1d"}`, try{}, true},
		{`{"status":503,"sub":"5be2f7a8"}`, try{}, false},
		{`{"status":503,"sub":"` + knownVid + `"}`, try{query: with(knownVid, knownSid)}, true},
		{`{"status":503,"sub":"c-1a"}`, try{body: about(`"consumerId":"c-1a",`)}, true},
		{`{"status":503,"sub":"5be2f7a8-0c1d"}`, try{body: `{"identities":[{"sub":"5be2f7a8-0c1d"}],"nonsense":1}`}, true},
		{`{"status":503,"account":"12345678"}`, try{}, true},
		{`{"status":503,"account":"87654321"}`, try{}, false},
		{`{"status":503,"path":"report"}`, try{}, true},
		{`{"status":503,"path":"report"}`, try{method: "POST", path: engage}, false},
		{`{"status":503,"path":"engagement"}`, try{method: "POST", path: engage}, true},
		{`{"status":503,"path":"engagement"}`, try{}, false},
		{`{"status":503,"path":"domain"}`, try{}, false},
		{`{"status":503,"path":"domain","account":"12345678"}`, try{method: "GET", path: lookupPath, query: "version=1.0"}, true},
		{`{"status":503}`, try{method: "GET", path: lookupPath, query: "version=1.0"}, false},
		{`{"status":503}`, try{path: "/nowhere"}, true},
		{`{"status":503,"sde":"searchInfo"}`, try{}, true},
		{`{"status":503,"sde":"purchase"}`, try{}, false},
		{`{"status":503,"sde":"cart"}`, cart, true},
		{`{"status":503,"sde":"cartStatus"}`, cart, true},
		{`{"status":503,"match":"mug"}`, try{}, true},
		{`{"status":503,"match":"v=1.1"}`, try{}, true},
		{`{"status":503,"sub":"5be2f7a8-0c1d","sde":"purchase"}`, try{}, false},
		{`{"cold":1,"sub":"somebody"}`, try{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.fault, func(t *testing.T) {
			s := New(Options{})
			setFault(t, s, tt.fault)
			if got := send(t, s, tt.try); (got.status == 503 || got.status == 202) != tt.met {
				t.Errorf("answer %d, want the fault met: %t", got.status, tt.met)
			}
		})
	}
}

// With a seed, the same calls meet a fault in every run.
func TestChanceCanBeRepeated(t *testing.T) {
	run := func(o Options, fault string) string {
		o.SessionCap = -1
		s := New(o)
		setFault(t, s, fault)
		var met []byte
		for range 200 {
			met = append(met, "-x"[send(t, s, try{}).status/503])
		}
		return string(met)
	}
	one := run(Options{}, `{"status":503,"rate":0.3,"seed":7}`)
	if n := strings.Count(one, "x"); n < 30 || n > 90 {
		t.Errorf("%d of 200 calls met a fault of 0.3", n)
	}
	if again := run(Options{}, `{"status":503,"rate":0.3,"seed":7}`); again != one {
		t.Errorf("another run with the same seed:\n%s\n%s", one, again)
	}
	if other := run(Options{}, `{"status":503,"rate":0.3,"seed":8}`); other == one {
		t.Error("another seed made no difference")
	}
	if a, b := run(Options{Seed: 5}, `{"status":503,"percent":30}`), run(Options{Seed: 5}, `{"status":503,"percent":30}`); a != b {
		t.Errorf("the simulator's own seed:\n%s\n%s", a, b)
	}
	s := New(Options{})
	setFault(t, s, `{"status":503,"rate":0.3}`)
	if f := s.faults.list()[0]; f.Seed == 0 || run(Options{}, fmt.Sprintf(`{"status":503,"rate":0.3,"seed":%d}`, f.Seed)) == "" {
		t.Errorf("fault %+v tells no seed to run it again with", f)
	}
}
