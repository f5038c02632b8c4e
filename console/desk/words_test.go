package desk

import (
	"testing"

	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

func TestRowWords(t *testing.T) {
	tests := []struct {
		name       string
		in         trace.Summary
		line, tail string
	}{
		{"delivered says what it became", trace.Summary{Outcome: trace.Delivered, Text: "purchase · USD 11.70", Status: 200, TookMS: 84, Tries: 1}, "purchase · USD 11.70", "200 · 84 ms"},
		{"delivered without a summary", trace.Summary{Outcome: trace.Delivered, Status: 201, TookMS: 9}, "Delivered", "201 · 9 ms"},
		{"carried was not sent by itself", trace.Summary{Outcome: trace.Carried}, "Travels with the visitor's next report", "not sent"},
		{"consent", trace.Summary{Outcome: trace.Filtered, Reason: "consent: marketing is not granted"}, "Marketing is not granted", "not sent"},
		{"not mapped is short in a row", trace.Summary{Outcome: trace.Filtered, Reason: `not mapped: no rule for "Coffee Brewed"`}, "Not mapped", "not sent"},
		{"waits", trace.Summary{Outcome: trace.Pending}, "Waits to be sent", "not sent"},
		{"answered and waits", trace.Summary{Outcome: trace.Pending, Status: 503, Tries: 2, Reason: "LivePerson does not take reports now."}, "Answered 503", "503 · 2 tries"},
		{"no answer", trace.Summary{Outcome: trace.Pending, Tries: 1, Reason: "LivePerson did not answer."}, "LivePerson did not answer.", "no answer · 1 try"},
		{"dead says why", trace.Summary{Outcome: trace.Dead, Status: 400, Tries: 1, Reason: "LivePerson refused lead.currency."}, "LivePerson refused lead.currency.", "400 · 1 try"},
		{
			"of several integrations the row names whose the fault is",
			trace.Summary{Outcome: trace.Dead, Integration: "shop/orders", Status: 400, Tries: 1, Reason: "it refused", Ends: []trace.End{{Integration: "shop/lp"}, {Integration: "shop/orders"}}},
			"orders: It refused", "400 · 1 try",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if r := row(tt.in); r.Line != tt.line || r.Tail != tt.tail {
				t.Errorf("row = %q, %q, want %q, %q", r.Line, r.Tail, tt.line, tt.tail)
			}
		})
	}
}

func TestSayReasons(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    "",
		"consent: marketing is not known yet": "Marketing is not known yet",
		`not mapped: no rule for "Coffee Brewed"`: "Not mapped: Coffee Brewed",
		"bot: headless browser":                   "Bot: headless browser",
		"Ärger":                                   "Ärger",
	} {
		if got := Say(in); got != want {
			t.Errorf("Say(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLiveFilterMeansTheSameAsTheHistory(t *testing.T) {
	s := trace.Summary{
		MessageID: "01956b1e-5f2c", Pipeline: "shop", Event: "Order Completed", AnonymousID: "a1b2", UserID: "C-4711", Outcome: trace.Dead,
		Ends: []trace.End{{Integration: "shop/lp", Outcome: trace.Delivered, Text: "purchase · DRV1534XC"}, {Integration: "shop/orders", Outcome: trace.Dead, Reason: "refused"}},
	}
	for _, tt := range []struct {
		name string
		f    store.TraceFilter
		want bool
	}{
		{"nothing filters", store.TraceFilter{}, true},
		{"its pipeline", store.TraceFilter{Pipeline: "shop"}, true},
		{"another pipeline", store.TraceFilter{Pipeline: "shop-eu"}, false},
		{"the name in another spelling", store.TraceFilter{Event: "order_completed"}, true},
		{"the worst outcome", store.TraceFilter{Outcome: "dead"}, true},
		{"an outcome that is not the worst", store.TraceFilter{Outcome: "delivered"}, false},
		{"the outcome of one integration", store.TraceFilter{Outcome: "delivered", Integration: "shop/lp"}, true},
		{"the outcome of the other", store.TraceFilter{Outcome: "delivered", Integration: "shop/orders"}, false},
		{"an integration that it did not go to", store.TraceFilter{Integration: "shop/x"}, false},
		{"the visitor", store.TraceFilter{Visitor: "a1b2"}, true},
		{"the user", store.TraceFilter{Visitor: "C-4711"}, true},
		{"a part of the visitor", store.TraceFilter{Visitor: "a1"}, false},
		{"the begin of the message id", store.TraceFilter{Q: "01956b1e"}, true},
		{"the middle of the message id", store.TraceFilter{Q: "5f2c"}, false},
		{"words of the summary", store.TraceFilter{Q: " drv153  purch"}, true},
		{"a word that is not there", store.TraceFilter{Q: "purchase oolong"}, false},
		{"signs alone", store.TraceFilter{Q: "·"}, false},
	} {
		if got := matcher(tt.f)(s); got != tt.want {
			t.Errorf("%s = %v", tt.name, got)
		}
	}
}
