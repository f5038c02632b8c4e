package lpsim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// about is a body of one visitor with more fields before its attribute.
func about(fields string) string {
	return `{` + fields + `"identities":[{"iss":"Shop","acr":"0","sub":"5be2f7a8-0c1d"}],"engagementAttributes":[{"type":"searchInfo"}]}`
}

const lookupPath = "/api/account/" + DefaultAccount + "/service/smt/baseURI.json"

// Each rule that refuses or chooses, switched on and off, with everything else
// as strict has it. None is left out.
func TestEveryRuleCanBeSwitched(t *testing.T) {
	const taken = "201"
	other := func(path string) try { return try{path: path} }
	header := func(name, value string) try { return try{header: map[string]string{name: value}} }
	tests := []struct {
		rule    string
		dialect string
		try     try
		on, off string // status, and code and message of a refusal
	}{
		{RuleTLS, "", try{}, "400 5 https", taken},
		{RulePath, "", other(address + "/"), "404 28 null for uri", taken},
		{RulePath, "", other(strings.ReplaceAll(address, "report", "Report")), "404 28 null for uri", taken},
		{RuleMethod, "", try{method: "PATCH"}, "405 0 Method Not Allowed", taken},
		{RuleMethod, DialectReference, seedTry(""), "405 0 Method Not Allowed", taken},
		{RuleMethod, DialectSeed, try{body: attributes(`{"type":"cartStatus","total":1,"numItems":1}`)}, "405 0 Method Not Allowed", taken},
		{RulePlainPost, DialectReference, seedTry(""), taken, "405 0 Method Not Allowed"},
		{RuleKnownAccount, "", other(strings.Replace(address, DefaultAccount, "87654321", 1)), "404 6 Invalid account", "404 18 invalid appInstallationId"},
		{RuleOnBehalf, "", try{query: "v=1.1&obh=yes"}, "400 5 obh", taken},
		{RuleQuery, "", try{query: "v=1.1&obh=true&debug=1"}, "400 5 debug", taken},
		{RuleContentType, "", header("Content-Type", "text/plain"), "415 5 Content-Type", taken},
		{RuleNoAuth, "", header("Authorization", "Bearer x"), "400 5 Authorization", taken},
		{RuleBodyLimit, "", try{body: search + strings.Repeat(" ", 1<<20)}, "413 5 body", taken},
		{RuleFields, "", try{body: about(`"userAgent":"x",`)}, "400 5 userAgent", taken},
		{RuleNotEmpty, "", try{body: attributes()}, "400 5 engagementAttributes", taken},
		{RuleSeedNotEmpty, "", seedTry(attributes()), "400 5 engagementAttributes", taken},
		{RuleIdentityFields, "", try{body: strings.Replace(search, `"acr"`, `"email":"x","acr"`, 1)}, "400 5 identities", taken},
		{RuleCustomerID, "", try{body: `{"consumerId":"5be2f7a8","engagementAttributes":[{"type":"ctmrinfo","info":{"customerId":"C-1"}}]}`}, "400 5 customerId", taken},
		{RulePageID, "", try{body: about(`"pageId":"p7",`)}, "400 5 pageId", taken},
		{RuleEntryPoints, "", try{body: about(`"entryPoints":["/cart"],`)}, "400 5 entryPoints", taken},
		{RuleClient, "", try{body: about(`"clientProperties":{"osName":"BeOS"},`)}, "400 5 clientProperties.osName", taken},
		{RuleTypes, "", try{body: attributes(`{"type":"horoscope"}`)}, "400 5 engagementAttributes[0].type", taken},
		{RuleSDEFields, "", try{body: attributes(`{"type":"lead","topic":"x"}`)}, "400 5 engagementAttributes[0].topic", taken},
		{RuleNull, "", try{body: attributes(`{"type":"lead","lead":{"topic":null}}`)}, taken, "400 5 engagementAttributes[0].lead.topic"},
		{RuleTextLength, "", try{body: attributes(`{"type":"lead","lead":{"topic":"` + strings.Repeat("ä", 50_001) + `"}}`)}, "400 5 engagementAttributes[0].lead.topic", taken},
		{RuleMoreEnums, "", try{body: attributes(`{"type":"mrktInfo","info":{"channel":6}}`)}, taken, "400 5 engagementAttributes[0].info.channel"},
		{RuleMoreEnums, "", try{body: attributes(`{"type":"service","service":{"status":13}}`)}, taken, "400 5 engagementAttributes[0].service.status"},
		{RuleNoSearch, "", try{}, "400 5 engagementAttributes[0].type", taken},
		{RuleContexts, "", try{body: attributes(`{"type":"impClose","campaign":1,"engId":2,"revision":3}`)}, "400 5 eContext", taken},
		{RuleIDs, "", try{query: with("abc", knownSid)}, "404 37 invalid visitorId", taken},
		{RuleIDs, "", try{query: with(knownVid, "abc")}, "404 39 invalid sessionId", taken},
		{RuleKeepVid, "", try{query: with(knownVid, knownSid)}, "201 with the vid", "201 with another vid"},
		{RuleKeepVid, "", try{query: "v=1.1&obh=true&vid=" + knownVid}, "201 with the vid", "201 with another vid"},
		{RuleDomainVersion, "", try{method: "GET", path: lookupPath, query: "version=2.0"}, "400", "200"},
		{RuleDomainMethod, "", try{method: "POST", path: lookupPath, query: "version=1.0"}, "405", "200"},
	}
	left := map[string]bool{}
	for _, c := range checks {
		left[c.Name] = true
	}
	for _, tt := range tests {
		delete(left, tt.rule)
		for on, want := range map[bool]string{true: tt.on, false: tt.off} {
			t.Run(fmt.Sprintf("%s is %t for %s", tt.rule, on, tt.on), func(t *testing.T) {
				s := New(Options{Dialect: tt.dialect, Rules: map[string]bool{tt.rule: on}})
				got := send(t, s, tt.try)
				text := fmt.Sprint(got.status)
				switch {
				case got.message != "":
					text += fmt.Sprintf(" %d %s", got.code, got.message)
				case tt.rule == RuleKeepVid && got.vid == knownVid:
					text += " with the vid"
				case tt.rule == RuleKeepVid:
					text += " with another vid"
				}
				if text != want {
					t.Errorf("answer %q, want %q", text, want)
				}
				if s.Status().Rules[tt.rule] != on {
					t.Errorf("GET /_sim says that the rule is %t", !on)
				}
			})
		}
	}
	if len(left) > 0 {
		t.Errorf("no test switches %v", left)
	}
}

// Strict and lenient are what the table says, and lenient refuses nothing that
// no page of LivePerson's says.
func TestStrictAndLenient(t *testing.T) {
	for _, lenient := range []bool{false, true} {
		got := New(Options{Lenient: lenient}).Status()
		if got.Strict == lenient || len(got.Rules) != len(Rules()) {
			t.Errorf("lenient %t: strict %t with %d rules", lenient, got.Strict, len(got.Rules))
		}
		for _, r := range Rules() {
			if want := !lenient && r.Strict || lenient && r.Lenient; got.Rules[r.Name] != want {
				t.Errorf("lenient %t: %s is %t, want %t", lenient, r.Name, got.Rules[r.Name], want)
			}
		}
	}
	s := New(Options{Lenient: true, Dialect: DialectReference})
	for range 30 { // more than the cap of strict
		if got := send(t, s, try{}); got.status != 201 {
			t.Fatalf("lenient answers %d %s", got.status, got.body)
		}
	}
}

func TestTheTableOfRules(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rules() {
		if seen[r.Name] || r.ID == "" || r.Basis == "" || !strings.HasSuffix(r.Meaning, ".") {
			t.Errorf("rule %+v is there twice, or not told in full", r)
		}
		seen[r.Name] = true
	}
	var list struct {
		Rules []struct {
			Rule
			On bool
		}
	}
	w := ask(New(Options{Rules: map[string]bool{RuleQuery: false}}), "GET", "/_sim/rules", "")
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Rules) != len(Rules()) {
		t.Fatalf("GET /_sim/rules: %d %s", w.Code, w.Body)
	}
	for _, r := range list.Rules {
		if r.On != (r.Strict && r.Name != RuleQuery) {
			t.Errorf("%s is on: %t", r.Name, r.On)
		}
	}
}

// What is wrong with the options is named, all at once.
func TestOptionsAreChecked(t *testing.T) {
	err := Options{
		Dialect: "latin", SessionMode: "ask", CapStatus: 404, Rules: map[string]bool{"no_rule": true}, Accounts: map[string][]string{"12-34": nil},
		ColdCalls: -1, IdleTimeout: -1, ColdAfter: 1, MovedAfter: 3, MaxBody: maxBodyEver + 1, ContentType: "a\nb", Faults: []Fault{{}},
	}.Check()
	if err == nil {
		t.Fatal("nonsense was taken")
	}
	for _, want := range []string{
		`Dialect: "latin" is not known: use both, seed or reference`, `SessionMode: "ask"`, "CapStatus: 404", `Rules: rule "no_rule"`, `Accounts: "12-34"`,
		"ColdCalls: -1", "IdleTimeout: -1ns", "MovedAfter: name the host", "MaxBody: ", "ContentType: ", "Faults: status: nothing would fail",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in:\n%v", want, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("New took a dialect that does not exist")
		}
	}()
	New(Options{Dialect: "latin"})
}
