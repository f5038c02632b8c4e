package liveperson_test

import (
	"slices"
	"testing"

	"github.com/datafly/signal/integrations/liveperson"
	"github.com/datafly/signal/mapping"
)

func TestAdvice(t *testing.T) {
	said := func(target, source string) []string {
		return []string{"The mapping feeds " + target + " from " + source + ", which can be guessed. LivePerson asks for an identity that nobody can guess: use anonymousId, or a random id of the customer."}
	}
	tests := []struct {
		name, mapping string
		more          liveperson.Setup
		want          []string
	}{
		{"the visitor's id", `common: [{target: consumerId, source: anonymousId}, {target: "identities[0].sub", source: [userId, anonymousId]}]`, liveperson.Setup{}, nil},
		{"an e-mail address", `common: [{target: consumerId, source: traits.email}]`, liveperson.Setup{}, said("consumerId", "traits.email")},
		{"an e-mail address behind the user's id", `common: [{target: "identities[0].sub", source: [userId, properties.Email_Address]}]`, liveperson.Setup{}, said("identities[0].sub", "properties.Email_Address")},
		{"a phone number of one event", `events: [{event: identify, fields: [{target: consumerId, source: traits.phoneNumber}]}]`, liveperson.Setup{}, said("consumerId", "traits.phoneNumber")},
		{"an expression", `common: [{target: consumerId, expr: "lower(event.traits.email)"}]`, liveperson.Setup{}, said("consumerId", "an expression with event.traits.email")},
		{"a path that only looks like one", `common: [{target: consumerId, source: properties.mailing_list_id}]`, liveperson.Setup{}, nil},
		{"an e-mail address elsewhere", `events: [{event: identify, attributes: [{type: personal, fields: [{target: "personal.contacts[0].email", source: traits.email}]}]}]`, liveperson.Setup{}, nil},
		{"a hashed e-mail address", `common: [{target: consumerId, source: traits.email}]`, liveperson.Setup{Hashed: []string{"traits.email"}}, nil},
		{"a hashed e-mail address that this integration gets as it is", `common: [{target: consumerId, source: traits.email}]`,
			liveperson.Setup{Hashed: []string{"traits.email"}, Exempt: []string{"traits"}}, said("consumerId", "traits.email")},
		{"a token that the pii rules take out", ``,
			liveperson.Setup{Settings: map[string]any{"identity_token": "context.identity.token"}, Redacted: []string{"context.identity"}},
			[]string{"The pipeline hashes or redacts context.identity, so no token ever comes through at identity_token (context.identity.token). Take the path out of the pii rules."}},
		{"a token beside what the pii rules take out", ``,
			liveperson.Setup{Settings: map[string]any{"identity_token": "context.identity.token"}, Hashed: []string{"context.identity.tok"}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.mapping != "" {
				m, err := mapping.Parse([]byte(tt.mapping))
				if err != nil {
					t.Fatal(err)
				}
				tt.more.Mapping = m
			}
			if got := tt.more.Advice(); !slices.Equal(got, tt.want) {
				t.Errorf("advice:\n got %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestThePresetsNeedNoAdvice(t *testing.T) {
	for _, name := range []string{"retail", "blank"} {
		src, _ := liveperson.New(liveperson.Options{}).Preset(name)
		m, err := mapping.Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		if got := (liveperson.Setup{Mapping: m}).Advice(); len(got) > 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
}
