package trace

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestMaskJSON(t *testing.T) {
	tests := []struct {
		name     string
		in, want string // X stands for what hides a value
		values   []string
	}{
		{"what is not personal stays, order, digits and all",
			`{"type":"track","properties":{"total":11.70,"id":12345678901234567,"e":1e2,"z":null,"b":[true,false]}}`,
			`{"type":"track","properties":{"total":11.70,"id":12345678901234567,"e":1e2,"z":null,"b":[true,false]}}`, nil},
		{"traits are hidden whole, their structure stays",
			`{"traits":{"plan":"gold","n":5,"list":[1,{"a":true}],"none":null,"empty":{}}}`,
			`{"traits":{"plan":"X","n":"X","list":["X",{"a":"X"}],"none":null,"empty":{}}}`, nil},
		{"names of fields in any spelling",
			`{"email":"a","E-Mail":"a","user_email":"a","phoneNumber":1,"first_name":"a","lastName":"a","billing_address":{"city":"a"},"ip":"a","userId":"a"}`,
			`{"email":"X","E-Mail":"X","user_email":"X","phoneNumber":"X","first_name":"X","lastName":"X","billing_address":{"city":"X"},"ip":"X","userId":"X"}`, nil},
		{"secrets", `{"api_key":"a","access_token":"b","password":"c","Authorization":"d","client_secret":["e"]}`,
			`{"api_key":"X","access_token":"X","password":"X","Authorization":"X","client_secret":["X"]}`, nil},
		{"the name of a product stays", `{"products":[{"name":"Chair","price":9.90}],"campaign":{"name":"Spring"}}`,
			`{"products":[{"name":"Chair","price":9.90}],"campaign":{"name":"Spring"}}`, nil},
		{"the name of a person does not", `{"properties":{"name":"Ann Lee","email":"ann@example.com","topic":"Chairs"}}`,
			`{"properties":{"name":"X","email":"X","topic":"Chairs"}}`, nil},
		{"an e-mail address anywhere", `{"note":"write to ann.lee+x@example.co.uk today"}`, `{"note":"write to X today"}`, nil},
		{"personal parameters of an address", `{"url":"https://example.com/a?email=ann%40example.com&utm_source=x&token=1#top"}`,
			`{"url":"https://example.com/a?email=••••&utm_source=x&token=••••#top"}`, nil},
		{"customer info of a report", `{"engagementAttributes":[{"type":"ctmrinfo","info":{"customerId":"1","balance":5}},{"type":"personal","personal":{"firstname":"A"}},{"type":"purchase","total":11.70}]}`,
			`{"engagementAttributes":[{"type":"ctmrinfo","info":{"customerId":"X","balance":"X"}},{"type":"personal","personal":{"firstname":"X"}},{"type":"purchase","total":11.70}]}`, nil},
		{"values that are known to be personal, where they stand alone", `{"consumerId":"u-1","other":["u-1","u-11",77],"n":77}`,
			`{"consumerId":"X","other":["X","u-11","X"],"n":"X"}`, []string{"u-1", "77", ""}},
		{"a scalar", `"ann@example.com"`, `"X"`, nil},
		{"blanks around", " {\"a\" : 1 , \"email\" : \"x\"} ", `{"a":1,"email":"X"}`, nil},
		{"signs", `{"a":"\u00e4\n\"<&","email":"\u0041"}`, `{"a":"\u00e4\n\"<&","email":"X"}`, nil},
		{"what is no JSON", `{"email":`, `"X"`, nil},
		{"a page of a proxy", `<html>ann@example.com</html>`, `"X"`, nil},
		{"no value", `{"a":tru}`, `"X"`, nil},
		{"nothing", ``, ``, nil},
		{"too many closing signs", `{"email":"a"}}`, `"X"`, nil},
	}
	for _, tt := range tests {
		got := string(NewMask(tt.values...).JSON(json.RawMessage(tt.in)))
		want := strings.ReplaceAll(strings.ReplaceAll(tt.want, `"X"`, `"`+Hidden+`"`), "X", Hidden)
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, want)
		}
		if again := string(NewMask(tt.values...).JSON(json.RawMessage(got))); again != got {
			t.Errorf("%s: masked twice\n got %s\nwant %s", tt.name, again, got)
		}
	}
}

func TestMaskText(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "",
		"purchase · USD 11.70 · DRV1534XC":  "purchase · USD 11.70 · DRV1534XC",
		"lead of ann@example.com":           "lead of " + Hidden,
		"https://x.example/?v=1.0&vid=a%40": "https://x.example/?v=1.0&vid=a%40",
		"https://x.example/?Phone=1&a=b":    "https://x.example/?Phone=••••&a=b",
		"u-1":                               Hidden,
		"u-1 and more":                      "u-1 and more",
		"@":                                 "@",
	} {
		if got := NewMask("u-1").Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

// A record for a viewer holds nothing of the person anywhere, and all that
// explains what happened.
func TestRecordMasked(t *testing.T) {
	private := []string{"ann@example.com", "user-77", "203.0.113.9", "Lee", "s3cret", "+44"}
	arrival := Record{MessageID: "m", Arrival: &Arrival{
		Event: "identify", AnonymousID: "anon-1", UserID: "user-77", IP: "203.0.113.9",
		Body:   json.RawMessage(`{"userId":"user-77","traits":{"lastName":"Lee","phone":"+44"},"context":{"ip":"203.0.113.9"},"x":"user-77"}`),
		Hashed: []string{"traits.email"},
		Routes: []Route{{
			Integration: "shop/lp", Outcome: Pending, Reason: "of ann@example.com", Faults: []string{"ann@example.com is no number"},
			Payload: json.RawMessage(`{"consumerId":"anon-1","identities":[{"sub":"user-77"}]}`),
			Explain: json.RawMessage(`[{"target":"personal.lastname","source":"traits.lastName","value":"Lee"},{"target":"total","value":11.70},{"target":"consumerId","source":"userId","value":"user-77"}]`),
		}},
	}}
	step := Record{MessageID: "m", Step: &Step{
		Integration: "shop/lp", Of: Subject{UserID: "user-77"}, URL: "https://lp.example/report?email=ann@example.com&sid=1",
		Header: map[string]string{"Authorization": "s3cret", "Content-Type": "application/json"},
		AHead:  map[string]string{"Set-Cookie": "s3cret", "X-A": "ann@example.com"},
		Body:   json.RawMessage(`{"sub":"user-77","total":11.70,"email":"ann@example.com"}`),
		Answer: `<p>ann@example.com</p>`, Summary: "lead of ann@example.com", Notes: []string{"ann@example.com"},
		Reason: "ann@example.com", Remedy: "ask ann@example.com", Took: time.Second, Status: 400,
	}}
	original, _ := json.Marshal([]Record{arrival, step})
	masked, _ := json.Marshal([]Record{arrival.Masked(), step.Masked()})
	for _, p := range private {
		if strings.Contains(string(masked), p) {
			t.Errorf("%q is in %s", p, masked)
		}
	}
	for _, kept := range []string{"anon-1", "11.70", "traits.email", "identities", "application/json", "https://lp.example/report?email=", "sid=1", "consumerId", "personal.lastname"} {
		text, _ := json.Marshal(kept)
		if !strings.Contains(strings.ReplaceAll(string(masked), `\u0026`, "&"), strings.Trim(string(text), `"`)) {
			t.Errorf("%q is not in %s", kept, masked)
		}
	}
	if again, _ := json.Marshal([]Record{arrival, step}); string(again) != string(original) {
		t.Error("masking changed the record itself")
	}
	if (Record{}).Masked().Arrival != nil {
		t.Error("masking made an arrival of nothing")
	}
}

func TestSummaryMasked(t *testing.T) {
	s := NewSummary(came(1))
	s.UserID, s.Ends[0].Text = "user-77", "lead of ann@example.com"
	s.Judge()
	text, _ := json.Marshal(s.Masked())
	if strings.Contains(string(text), "user-77") || strings.Contains(string(text), "ann@") {
		t.Errorf("masked row = %s", text)
	}
	if s.UserID != "user-77" || s.Ends[0].Text != "lead of ann@example.com" {
		t.Error("masking changed the row itself")
	}
}

// What comes out is JSON whenever something comes out, and never longer lived
// secrets: no value of a personal field survives.
func FuzzMask(f *testing.F) {
	f.Add(`{"email":"secret-value","a":[{"token":"secret-value"}],"b":{"traits":["secret-value"]}}`)
	f.Add(`{"a":"x@y.zz","a":1}`)
	f.Fuzz(func(t *testing.T, in string) {
		out := NewMask("secret-value").JSON(json.RawMessage(in))
		if strings.TrimSpace(in) != "" && !json.Valid(out) {
			t.Errorf("%q became %q, which is no JSON", in, out)
		}
		var tree any
		if json.Unmarshal(out, &tree) == nil && holds(tree, "secret-value") {
			t.Errorf("%q became %q", in, out)
		}
	})
}

func holds(tree any, value string) bool {
	switch v := tree.(type) {
	case string:
		return v == value
	case []any:
		for _, e := range v {
			if holds(e, value) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if holds(e, value) {
				return true
			}
		}
	}
	return false
}
