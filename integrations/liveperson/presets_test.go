package liveperson

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/mapping"
)

func preset(t testing.TB, name string) *mapping.Mapping {
	t.Helper()
	src, ok := new(Vendor).Preset(name)
	if !ok {
		t.Fatalf("there is no preset %s", name)
	}
	m, err := mapping.Parse(src)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return m
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPresets(t *testing.T) {
	for _, name := range []string{"retail", "service", "full", "blank"} {
		m := preset(t, name)
		if _, err := m.Compile(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if m.Preset != name {
			t.Errorf("%s says that it is %q", name, m.Preset)
		}
	}
	for _, name := range []string{"", "none", "../sde", "retail.yaml", `a\b`} {
		if _, ok := new(Vendor).Preset(name); ok {
			t.Errorf("there is a preset %q", name)
		}
	}
}

// Each preset is whole, so that a person who edits one sees all of it; what two
// have in common is the same in both.
func TestEachPresetHoldsTheOneBefore(t *testing.T) {
	for _, pair := range [][2]string{{"retail", "service"}, {"service", "full"}} {
		less, more := preset(t, pair[0]), preset(t, pair[1])
		for i := range less.Common {
			if want, got := asJSON(t, less.Common[i]), asJSON(t, more.Common[i]); got != want {
				t.Errorf("common field %d of %s is %s, in %s it is %s", i, pair[1], got, pair[0], want)
			}
		}
		if len(more.Events) < len(less.Events) {
			t.Fatalf("%s has %d rules, %s has %d", pair[1], len(more.Events), pair[0], len(less.Events))
		}
		for i := range less.Events {
			if want, got := asJSON(t, less.Events[i]), asJSON(t, more.Events[i]); got != want {
				t.Errorf("the rule for %s in %s is\n%s\nin %s it is\n%s", less.Events[i].Event, pair[1], got, pair[0], want)
			}
		}
	}
}

// Together the rules of Full write every engagement attribute that there is;
// impressions are for mappings of one's own, since only who asked LivePerson for
// an engagement knows its numbers.
func TestFullHasEveryType(t *testing.T) {
	full := preset(t, "full")
	var got []string
	add := func(list []mapping.Attribute) {
		for _, a := range list {
			got = append(got, a.Type)
		}
	}
	add(full.Attributes)
	for _, e := range full.Events {
		add(e.Attributes)
	}
	slices.Sort(got)
	want := slices.DeleteFunc(slices.Clone(sdeNames), func(name string) bool { return name[:3] == "imp" })
	if !slices.Equal(got, want) {
		t.Errorf("full writes %q, want %q", got, want)
	}
}

// A preview is a preset, ready to run.
type preview struct{ *mapping.Program }

// sde maps one event and gives the attribute at index i of its payload, checked;
// "" when there is none.
func (p preview) sde(t testing.TB, in mapping.Input, i int) (string, mapping.Result) {
	t.Helper()
	r := p.Run(in)
	var payload struct{ EngagementAttributes []json.RawMessage }
	if r.Payload == nil {
		return "", r
	}
	if err := json.Unmarshal(r.Payload, &payload); err != nil {
		t.Fatal(err)
	}
	if i >= len(payload.EngagementAttributes) {
		return "", r
	}
	raw := payload.EngagementAttributes[i]
	if s := checkSDE(raw); len(s.faults) > 0 {
		t.Errorf("%s is refused: %q", raw, s.faults)
	}
	return string(raw), r
}

func previewOf(t testing.TB, name string) preview {
	t.Helper()
	p, err := preset(t, name).Compile()
	if err != nil {
		t.Fatal(err)
	}
	return preview{p}
}

func track(t testing.TB, name, properties string) *event.Event {
	t.Helper()
	root, err := event.DecodeTree([]byte(`{"type":"track","anonymousId":"A","properties":` + properties + `}`))
	if err != nil {
		t.Fatal(err)
	}
	root["event"] = name
	return &event.Event{Type: event.Track, Name: name, AnonymousID: "A", Fields: root}
}

// Every word for a status, in any case and with any sign between its parts, and
// every number.
func TestServiceStatus(t *testing.T) {
	words := map[string][]string{
		"0":  {`"complete"`, `"Completed"`, `"DONE"`, `0`, `"0"`, `" resolved "`},
		"1":  {`"in progress"`, `"in_progress"`, `"In-Progress"`, `"open"`, `1`, `"1"`},
		"2":  {`"approved"`, `2`},
		"3":  {`"cancelled"`, `"Canceled"`, `3`},
		"4":  {`"not approved"`, `"NOT_APPROVED"`, `"rejected"`, `"declined"`, `4`},
		"5":  {`"reviewed"`, `5`},
		"6":  {`"missing details"`, `"missing_details"`, `6`},
		"7":  {`"closed"`, `7`},
		"8":  {`"removed"`, `8`},
		"9":  {`"assigned"`, `9`},
		"10": {`"waiting"`, `"pending"`, `"on hold"`, `10`},
		"":   {`"escalated"`, `11`, `-1`, `1.5`, `true`, `{}`},
	}
	p := previewOf(t, "service")
	for want, list := range words {
		for _, word := range list {
			got, r := p.sde(t, mapping.Input{Event: track(t, "Ticket Updated", `{"topic":"card","status":`+word+`}`)}, 0)
			sde := `{"type":"service","service":{"topic":"card"}}`
			if want != "" {
				sde = `{"type":"service","service":{"topic":"card","status":` + want + `}}`
			}
			if got != sde {
				t.Errorf("status %s gives %s %s, want %s", word, got, r.Stop, sde)
			}
		}
	}
}

// Without a status the event's own name may say it.
func TestServiceStatusByName(t *testing.T) {
	p := previewOf(t, "service")
	for name, want := range map[string]string{
		"Service Requested": "", "service_updated": "", "Service Completed": "0", "service-cancelled": "3",
		"Ticket Created": "", "Ticket Assigned": "9", "ticket_resolved": "0", "Ticket Closed": "7",
		"Case Opened": "1", "case_closed": "7",
		"Application Started": "1", "Application Submitted": "", "Application Approved": "2", "application_rejected": "4",
		"Signed Up": "", "sign_up": "",
	} {
		sde := `{"type":"service","service":{"topic":"` + name + `","status":` + want + `}}`
		if want == "" {
			sde = `{"type":"service","service":{"topic":"` + name + `"}}`
		}
		if got, r := p.sde(t, mapping.Input{Event: track(t, name, `{}`)}, 0); got != sde {
			t.Errorf("%s gives %s %s, want %s", name, got, r.Stop, sde)
		}
	}
}

func TestErrors(t *testing.T) {
	p := previewOf(t, "service")
	tests := []struct{ name, properties, want string }{
		{"exception", `{"description":"TypeError","fatal":false}`, `{"message":"TypeError","resolved":false}`},
		{"Form Error", `{"form_name":"credit card form","message":"Expiry date missing","code":"E-17","level":10,"resolved":false}`, `{"contextId":"credit card form","message":"Expiry date missing","code":"E-17","level":10,"resolved":false}`},
		{"form_error", `{"form_id":7,"error":{"message":"m","code":0},"severity":"2","resolved":"yes"}`, `{"contextId":"7","message":"m","code":"0","level":2,"resolved":true}`},
		{"Payment Failed", `{"reason":"insufficient funds","code":51}`, `{"message":"insufficient funds","code":"51","resolved":false}`},
		{"payment_failed", `{}`, `{"message":"payment_failed","resolved":false}`},
		{"Error Shown", `{"error":"out of stock","code":1.50}`, `{"message":"out of stock","code":"1.50","resolved":false}`},
	}
	for _, tt := range tests {
		want := `{"type":"error","error":` + tt.want + `}`
		if got, r := p.sde(t, mapping.Input{Event: track(t, tt.name, tt.properties)}, 0); got != want {
			t.Errorf("%s %s gives\n%s %s\nwant %s", tt.name, tt.properties, got, r.Stop, want)
		}
	}
}

// The channel by what is known of the session.
func TestMarketingChannel(t *testing.T) {
	tests := map[string]string{ // the session, and the SDE's info
		``:                 `-`,
		`"referrer":"x.y"`: `-`, // no page was seen: it cannot be
		`"landed":true`:    `{"channel":0}`,
		`"landed":true,"campaign":{"source":"(direct)","medium":"(none)"}`: `{"channel":0,"affiliate":"(direct)"}`,

		`"campaign":{"gclid":"g1"}`: `{"channel":1}`,
		`"landed":true,"referrer":"www.google.com","campaign":{"gclid":"g1"}`:               `{"channel":1,"affiliate":"www.google.com"}`,
		`"campaign":{"msclkid":"m"}`:                                                        `{"channel":1}`,
		`"campaign":{"source":"google","medium":"cpc","name":"spring-sale","id":"7"}`:       `{"channel":1,"affiliate":"google","campaignId":"spring-sale"}`,
		`"campaign":{"source":"Bing","medium":"Organic"}`:                                   `{"channel":1,"affiliate":"Bing"}`,
		`"campaign":{"source":"partner","medium":"paid_search","id":"0012345678901234567"}`: `{"channel":1,"affiliate":"partner","campaignId":"0012345678901234567"}`,
		`"campaign":{"source":"google"}`:                                                    `{"channel":1,"affiliate":"google"}`,
		`"landed":true,"referrer":"www.google.co.uk"`:                                       `{"channel":1,"affiliate":"www.google.co.uk"}`,
		`"landed":true,"referrer":"uk.search.yahoo.com"`:                                    `{"channel":1,"affiliate":"uk.search.yahoo.com"}`,
		`"landed":true,"referrer":"duckduckgo.com"`:                                         `{"channel":1,"affiliate":"duckduckgo.com"}`,

		`"campaign":{"source":"facebook","medium":"cpc"}`:       `{"channel":2,"affiliate":"facebook"}`,
		`"campaign":{"source":"agency","medium":"paid_social"}`: `{"channel":2,"affiliate":"agency"}`,
		`"campaign":{"source":"ig","medium":"story"}`:           `{"channel":2,"affiliate":"ig"}`,
		`"campaign":{"fbclid":"f"}`:                             `{"channel":2}`,
		`"landed":true,"referrer":"l.instagram.com"`:            `{"channel":2,"affiliate":"l.instagram.com"}`,
		`"landed":true,"referrer":"t.co"`:                       `{"channel":2,"affiliate":"t.co"}`,
		`"landed":true,"referrer":"www.threads.net"`:            `{"channel":2,"affiliate":"www.threads.net"}`,

		`"campaign":{"source":"spring","medium":"email","fbclid":"f"}`: `{"channel":3,"affiliate":"spring"}`,
		`"campaign":{"source":"newsletter_7","medium":"E-Mail"}`:       `{"channel":3,"affiliate":"newsletter_7"}`,
		`"campaign":{"source":"newsletter"}`:                           `{"channel":3,"affiliate":"newsletter"}`,
		`"landed":true,"referrer":"mail.google.com"`:                   `{"channel":3,"affiliate":"mail.google.com"}`,
		`"landed":true,"referrer":"outlook.live.com"`:                  `{"channel":3,"affiliate":"outlook.live.com"}`,

		`"campaign":{"source":"google","medium":"display"}`:    `{"channel":4,"affiliate":"google"}`,
		`"campaign":{"source":"partner","medium":"affiliate"}`: `{"channel":4,"affiliate":"partner"}`,
		`"campaign":{"content":"banner"}`:                      `{"channel":4}`,
		`"landed":true,"referrer":"blog.example.net"`:          `{"channel":4,"affiliate":"blog.example.net"}`,
		`"landed":true,"referrer":"notgoogle.com"`:             `{"channel":4,"affiliate":"notgoogle.com"}`,
		`"landed":true,"referrer":"docs.google.com"`:           `{"channel":4,"affiliate":"docs.google.com"}`,
	}
	p := previewOf(t, "full")
	for session, want := range tests {
		in := mapping.Input{Event: track(t, "lead_generated", `{"topic":"x"}`)}
		if err := json.Unmarshal([]byte("{"+session+"}"), &in.Session); err != nil {
			t.Fatal(err)
		}
		got, r := p.sde(t, in, 1)
		sde := ""
		if want != "-" {
			sde = `{"type":"mrktInfo","info":` + want + `}`
		}
		if got != sde || len(r.Faults) > 0 {
			t.Errorf("{%s} gives\n%s %s %q\nwant %s", session, got, r.Stop, r.Faults, sde)
		}
	}
}

// The section of a page stands beside its address.
func TestSections(t *testing.T) {
	const url = `"url":"https://shop.example/a"`
	tests := []struct{ body, want string }{
		{`"type":"page","context":{"page":{` + url + `}}`, `["https://shop.example/a"]`},
		{`"type":"page","context":{"page":{` + url + `,"section":"Sport"}}`, `["https://shop.example/a","sec://Sport"]`},
		{`"type":"page","properties":{"section":" Sport ","category":"x"},"context":{"page":{` + url + `}}`, `["https://shop.example/a","sec://Sport"]`},
		{`"type":"page","properties":{"category":"Docs"},"context":{"page":{` + url + `}}`, `["https://shop.example/a","sec://Docs"]`},
		{`"type":"page","category":"Docs","context":{"page":{` + url + `}}`, `["https://shop.example/a","sec://Docs"]`},
		{`"type":"track","event":"Lead Generated","properties":{"topic":"x","category":"y"},"context":{"page":{` + url + `}}`, `["https://shop.example/a"]`},
		{`"type":"track","event":"Lead Generated","properties":{"topic":"x"},"context":{"page":{` + url + `,"category":"Docs"}}`, `["https://shop.example/a","sec://Docs"]`},
	}
	p := previewOf(t, "full")
	for _, tt := range tests {
		root, err := event.DecodeTree([]byte("{" + tt.body + "}"))
		if err != nil {
			t.Fatal(err)
		}
		e := &event.Event{Type: event.Type(root["type"].(string)), Fields: root}
		e.Name, _ = root["event"].(string)
		var got struct{ EntryPoints json.RawMessage }
		r := p.Run(mapping.Input{Event: e})
		if err := json.Unmarshal(r.Payload, &got); err != nil || string(got.EntryPoints) != tt.want {
			t.Errorf("%s gives %s %s %v, want %s", tt.body, got.EntryPoints, r.Stop, err, tt.want)
		}
	}
}
