package liveperson

import (
	"slices"
	"strings"
	"testing"

	"github.com/datafly/signal/attempt"
)

func TestFieldOfARefusal(t *testing.T) {
	types := []string{"lead", "cartStatus", "purchase", "personal", "?", ""}
	for message, want := range map[string]string{
		"engagementAttributes[0].lead.value":                     "lead.value",
		"engagementAttributes[0].value":                          "lead.value",
		"engagementAttributes[0].lead":                           "lead",
		"engagementAttributes[1].numItems":                       "cartStatus.numItems",
		"engagementAttributes[1].type":                           "cartStatus.type",
		"engagementAttributes[2].cart.products[3].product.price": "purchase.cart.products[3].product.price",
		"engagementAttributes[3].personal.contacts[0].email":     "personal.contacts[0].email",
		"engagementAttributes[4].lead.value":                     "lead.value",
		"engagementAttributes[5].lead.value":                     "lead.value",
		"engagementAttributes[6].lead.value":                     "lead.value",
		"engagementAttributes[99999].lead.value":                 "",
		"engagementAttributes[1]":                                "engagementAttributes[1]",
		" entryPoints ":                                          "entryPoints",
		"entryPoints[3]":                                         "entryPoints[3]",
		"identities.sub":                                         "identities.sub",
		"DRV1534XC":                                              "",
		"engagementAttributes[0].lead.jane":                      "",
		"":                                                       "",
		strings.Repeat("lead.", 8) + "value":                     "",
	} {
		if got := fieldIn(message, types); got != want {
			t.Errorf("field of %q = %q, want %q", message, got, want)
		}
	}
}

func TestTheRuleOfARefusedField(t *testing.T) {
	for field, want := range map[string]string{
		"lead.currency":                      "text of at most 50,000 characters",
		"lead.value":                         "a number",
		"cartStatus.numItems":                "a whole number that is not below 0",
		"cart.numItems":                      "a whole number that is not below 0",
		"searchInfo.keywords":                "text of at most 50,000 characters",
		"searchContent.keywords[2]":          "text of at most 50,000 characters",
		"purchase.cart.products[3].quantity": "a whole number",
		"personal.gender":                    "MALE, FEMALE or OTHER",
		"personal.language":                  "a language such as en or en-GB",
		"personal.contacts[0].email":         "text of at most 50,000 characters",
		"mrktInfo.info.channel":              "a whole number from 0 to 4",
		"ctmrinfo.info.registrationDate.day": "a whole number from 1 to 31",
		"error.resolved":                     "true or false",
		"cartStatus.type":                    "",
		"cartStatus.products":                "",
		"lead":                               "",
		"lead.price":                         "",
		"engagementAttributes":               "",
		"":                                   "",
	} {
		if got := ruleOf(field); got != want {
			t.Errorf("rule of %q = %q, want %q", field, got, want)
		}
	}
	got := judge(answer{status: 400, code: 5, message: "lead.value"})
	want := []attempt.Check{{What: "lead.value", Right: true, Say: "Signal checked before sending that lead.value is a number."}}
	if got.Field != "lead.value" || !slices.Equal(got.Checks, want) {
		t.Errorf("field %q, checks %+v, want %+v", got.Field, got.Checks, want)
	}
	if got := judge(answer{status: 400, code: 5, message: "entryPoints"}); len(got.Checks) > 0 {
		t.Errorf("checks of an address = %+v, want none", got.Checks)
	}
}
