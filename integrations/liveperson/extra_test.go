package liveperson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
)

func TestExtractTakesTheIDsOfTheTag(t *testing.T) {
	long := strings.Repeat("ü", 512)
	tests := []struct {
		name    string
		context string
		want    string // "" for nothing
	}{
		{"both cookies", `{"cookies":{"LPVID":"TV","LPSID-12345678":"TS"}}`, `{"v":"TV","s":"TS"}`},
		{"the visitor alone", `{"cookies":{"LPVID":"TV"}}`, `{"v":"TV"}`},
		{"the session of another account", `{"cookies":{"LPVID":"TV","LPSID-87654321":"TS"}}`, `{"v":"TV"}`},
		{"the session alone says nothing", `{"cookies":{"LPSID-12345678":"TS"}}`, ``},
		{"as long as can be", `{"cookies":{"LPVID":"` + long + `"}}`, `{"v":"` + long + `"}`},
		{"a visitor that is too long", `{"cookies":{"LPVID":"` + long + `x","LPSID-12345678":"TS"}}`, ``},
		{"a session that is too long", `{"cookies":{"LPVID":"TV","LPSID-12345678":"` + long + `x"}}`, `{"v":"TV"}`},
		{"what is not text", `{"cookies":{"LPVID":7,"LPSID-12345678":["TS"]}}`, ``},
		{"nothing in it", `{"cookies":{"LPVID":"","LPSID-12345678":"TS"}}`, ``},
		{"cookies that are none", `{"cookies":"LPVID=TV"}`, ``},
		{"no cookies", `{}`, ``},
		{"no context", `null`, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var fields map[string]any
			if err := json.Unmarshal([]byte(`{"context":`+tt.context+`}`), &fields); err != nil {
				t.Fatal(err)
			}
			if got := connect(t, nil).Extract(&event.Event{Fields: fields}); string(got) != tt.want {
				t.Errorf("Extract(%s) = %s, want %s", tt.context, got, tt.want)
			}
		})
	}
}

// tagged gives an item with the ids of the tag.
func tagged(i integrations.Item, visitor, session string) integrations.Item {
	b, _ := json.Marshal(map[string]string{"v": visitor, "s": session})
	i.Extra = b
	return i
}

func TestReportsJoinTheTagsVisit(t *testing.T) {
	tag := attempt.IDs{Visitor: "TV", Session: "TS"}
	lp := attempt.IDs{Visitor: "LV", Session: "LS"}
	one := item(sdes(search))
	tests := []struct {
		name    string
		dialect string
		visit   integrations.Visit
		item    integrations.Item
		ids     attempt.IDs
		after   integrations.Visit
	}{
		{"in the place of Signal's own", "signal", integrations.Visit{}, tagged(one, "TV", "TS"), tag, integrations.Visit{IDs: tag, Of: "S1", Refused: tag}},
		{"in LivePerson's form too", "liveperson", integrations.Visit{}, tagged(one, "TV", "TS"), tag, integrations.Visit{IDs: tag, Of: "S1", Refused: tag}},
		{"in the place of those that are stored", "signal", integrations.Visit{IDs: lp, Of: "S1"}, tagged(one, "TV", "TS"), tag, integrations.Visit{IDs: tag, Of: "S1", Refused: tag}},
		{
			"with a visitor alone there is no session of ours", "signal", integrations.Visit{}, tagged(one, "TV", ""), attempt.IDs{Visitor: "TV"},
			integrations.Visit{IDs: attempt.IDs{Visitor: "TV"}, Of: "S1", Refused: attempt.IDs{Visitor: "TV"}},
		},
		{"not when LivePerson refused them", "signal", integrations.Visit{Refused: tag}, tagged(one, "TV", "TS"), attempt.IDs{Visitor: "V1", Session: "S1"}, integrations.Visit{Of: "S1", Refused: tag}},
		{"not right after ids were refused", "signal", integrations.Visit{Bare: true, Refused: lp}, tagged(one, "TV", "TS"), attempt.IDs{}, integrations.Visit{Of: "S1", Refused: lp}},
		{"others than those that were refused", "signal", integrations.Visit{IDs: lp, Of: "S1", Refused: tag}, tagged(one, "TV", "T2"), attempt.IDs{Visitor: "TV", Session: "T2"}, integrations.Visit{IDs: attempt.IDs{Visitor: "TV", Session: "T2"}, Of: "S1", Refused: attempt.IDs{Visitor: "TV", Session: "T2"}}},
		{"not when LivePerson answered them with others", "signal", integrations.Visit{IDs: attempt.IDs{Visitor: "TV", Session: "LS"}, Of: "S1", Refused: tag}, tagged(one, "TV", "TS"), attempt.IDs{Visitor: "TV", Session: "LS"}, integrations.Visit{IDs: attempt.IDs{Visitor: "TV", Session: "LS"}, Of: "S1", Refused: tag}},
		{"in a new session of Signal, while the tag's goes on", "signal", integrations.Visit{IDs: tag, Of: "S0", Refused: tag}, tagged(one, "TV", "TS"), tag, integrations.Visit{IDs: tag, Of: "S1", Refused: tag}},
		{"an event without them goes by what is stored", "signal", integrations.Visit{IDs: tag, Of: "S1", Refused: tag}, one, tag, integrations.Visit{IDs: tag, Of: "S1", Refused: tag}},
		{"what cannot be read is nothing", "signal", integrations.Visit{}, integrations.Item{Payload: one.Payload, Session: one.Session, Extra: json.RawMessage(`[`)}, attempt.IDs{Visitor: "V1", Session: "S1"}, integrations.Visit{Of: "S1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := connect(t, map[string]any{"dialect": tt.dialect}).Build(tt.visit, []integrations.Item{tt.item})
			if got.Request.IDs != tt.ids {
				t.Errorf("ids = %+v, want %+v", got.Request.IDs, tt.ids)
			}
			wantVid, wantSid := "", ""
			if tt.ids.Visitor != "" {
				wantVid = "&vid=" + tt.ids.Visitor
			}
			if tt.ids.Session != "" {
				wantSid = "&sid=" + tt.ids.Session
			}
			if !strings.HasSuffix(got.Request.URL, wantVid+wantSid) || wantVid == "" && strings.Contains(got.Request.URL, "vid=") || wantSid == "" && strings.Contains(got.Request.URL, "sid=") {
				t.Errorf("URL = %s, want it to end with %s", got.Request.URL, wantVid+wantSid)
			}
			if got.Visit.IDs != tt.after.IDs || got.Visit.Of != tt.after.Of || got.Visit.Refused != tt.after.Refused {
				t.Errorf("visit:\n got %+v\nwant %+v", got.Visit, tt.after)
			}
		})
	}
}

func TestOneReportIsOfOneVisitOfTheTag(t *testing.T) {
	one := item(sdes(search))
	items := []integrations.Item{tagged(one, "TV", "TS"), tagged(one, "TV", "TS"), tagged(one, "TV", "T2"), one}
	c := connect(t, nil)
	for i, want := range map[int]int{0: 2, 2: 1, 3: 1} {
		if got := c.Batch(items[i:]); got != want {
			t.Errorf("Batch from item %d = %d, want %d", i, got, want)
		}
	}
	if got := c.Build(integrations.Visit{}, items); len(got.Sent) != 2 || len(got.Refused) > 0 {
		t.Errorf("Build of all sent %v, want the first two", got.Sent)
	}
	// A token on the events does not part them: only who they are about does.
	items = []integrations.Item{one, one}
	items[0].Extra, items[1].Extra = json.RawMessage(`{"t":"a"}`), json.RawMessage(`{"t":"b"}`)
	if got := c.Batch(items); got != 2 {
		t.Errorf("Batch with two tokens = %d, want 2", got)
	}
}
