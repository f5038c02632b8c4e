package lpsim

// A Rule is one switch of the simulator: a check that LivePerson's pages do not
// make, or not in so many words, and that a test may therefore do without.
// What they do say is always checked and is no Rule.
type Rule struct {
	Name  string `json:"name"` // in Options.Rules
	ID    string `json:"id"`   // of the check, such as T11
	Basis string `json:"basis"`
	// Strict and Lenient say whether it is on in that mode.
	Strict  bool `json:"strict"`
	Lenient bool `json:"lenient"`
	// Remark tells a rule that only remarks; the others refuse, or choose.
	Remark  bool   `json:"remark"`
	Meaning string `json:"meaning"`
}

// Names of rules that tests switch by themselves. Rules lists all.
const (
	RuleTLS            = "require_tls"
	RulePath           = "exact_path"
	RuleMethod         = "known_method"
	RulePlainPost      = "allow_plain_post"
	RuleKnownAccount   = "known_account"
	RuleOnBehalf       = "obh_value"
	RuleQuery          = "known_query"
	RuleContentType    = "content_type"
	RuleNoAuth         = "no_authorization"
	RuleBodyLimit      = "body_limit"
	RuleFields         = "known_fields"
	RuleNotEmpty       = "attributes_given"
	RuleSeedNotEmpty   = "attributes_given_in_seed_form"
	RuleIdentityFields = "known_identity_fields"
	RuleCustomerID     = "customer_id_match"
	RulePageID         = "page_id_pattern"
	RuleEntryPoints    = "entry_points"
	RuleClient         = "client_properties_on_report"
	RuleTypes          = "known_types"
	RuleSDEFields      = "known_attribute_fields"
	RuleNull           = "null_counts_as_absent"
	RuleTextLength     = "text_length"
	RuleMoreEnums      = "allow_extended_enums"
	RuleNoSearch       = "mobile_app_rejects_searchInfo"
	RuleContexts       = "impression_contexts"
	RuleIDs            = "id_pattern"
	RuleKeepVid        = "vid_is_kept"
	RuleDomainVersion  = "domain_version"
	RuleDomainMethod   = "domain_method"
)

// rules are the switches as the checks read them.
type rules struct {
	tls, path, method, plainPost, knownAccount, onBehalf, query, contentType, noAuth, bodyLimit,
	fields, notEmpty, seedNotEmpty, identityFields, customerID, pageID, entryPoints, client,
	types, sdeFields, null, textLength, moreEnums, noSearch, contexts,
	ids, keepVid, domainVersion, domainMethod bool

	quiet map[string]bool // remarks that are switched off
}

// A ruleRow is a line of the table of rules: at is where the switch is kept,
// nil for a remark.
type ruleRow struct {
	Rule
	at func(*rules) *bool
}

// checks is the table of the rules that refuse or choose, in the order in which
// they meet a request.
var checks = []ruleRow{
	{Rule{RuleTLS, "T2", "documented, the answer is ours", false, false, false, "Plain HTTP is refused. Off, as the simulator is for loopback."}, func(r *rules) *bool { return &r.tls }},
	{Rule{RulePath, "T3", "inferred", true, false, false, "The address has no slash at its end and is case-sensitive."}, func(r *rules) *bool { return &r.path }},
	{Rule{RuleMethod, "T4", "ours", true, false, false, "A method that the dialect does not have is refused with 405."}, func(r *rules) *bool { return &r.method }},
	{Rule{RulePlainPost, "T4", "a knowledge-base article", false, false, false, "Switched on, the reference dialect takes POST without override."}, func(r *rules) *bool { return &r.plainPost }},
	{Rule{RuleKnownAccount, "T7", "inferred", true, false, false, "An account that is not registered is refused with code 6."}, func(r *rules) *bool { return &r.knownAccount }},
	{Rule{RuleOnBehalf, "T9", "inferred", true, false, false, "obh is true or false."}, func(r *rules) *bool { return &r.onBehalf }},
	{Rule{RuleQuery, "T10", "ours", true, false, false, "The query has v, vid, sid and obh only, each once."}, func(r *rules) *bool { return &r.query }},
	{Rule{RuleContentType, "T11", "ours", true, false, false, "Content-Type is application/json, with no charset but UTF-8."}, func(r *rules) *bool { return &r.contentType }},
	{Rule{RuleNoAuth, "T12", "ours", true, false, false, "No Authorization header: the API is public, so credentials would be leaked."}, func(r *rules) *bool { return &r.noAuth }},
	{Rule{RuleBodyLimit, "T13", "ours", true, false, false, "A body is at most 1 MiB. Switched off, 64 MiB."}, func(r *rules) *bool { return &r.bodyLimit }},
	{Rule{RuleFields, "B1", "ours", true, false, false, "The body has no field that is not known."}, func(r *rules) *bool { return &r.fields }},
	{Rule{RuleNotEmpty, "B2", "inferred", true, false, false, "engagementAttributes is not empty, in the reference form."}, func(r *rules) *bool { return &r.notEmpty }},
	{Rule{RuleSeedNotEmpty, "B2", "ours", false, false, false, "Switched on, nor is it in the seed's form."}, func(r *rules) *bool { return &r.seedNotEmpty }},
	{Rule{RuleIdentityFields, "B8", "ours", true, false, false, "An identity has iss, acr and sub only."}, func(r *rules) *bool { return &r.identityFields }},
	{Rule{RuleCustomerID, "B10", "an early draft", false, false, false, "Switched on, consumerId and each customerId are equal."}, func(r *rules) *bool { return &r.customerID }},
	{Rule{RulePageID, "B11", "ours", true, false, false, "pageId is 1 to 20 digits."}, func(r *rules) *bool { return &r.pageID }},
	{Rule{RuleEntryPoints, "B12", "inferred", true, false, false, "Each entry point has a scheme."}, func(r *rules) *bool { return &r.entryPoints }},
	{Rule{RuleClient, "B13", "documented for /engagement", true, false, false, "clientProperties are checked on /report, too."}, func(r *rules) *bool { return &r.client }},
	{Rule{RuleTypes, "B14", "inferred", true, false, false, "An attribute of a type that is not known is refused. Read-back names and wrong cases always are."}, func(r *rules) *bool { return &r.types }},
	{Rule{RuleSDEFields, "B14", "ours", true, false, false, "An attribute has no field that is not known."}, func(r *rules) *bool { return &r.sdeFields }},
	{Rule{RuleNull, "B14", "inferred", true, true, false, "null in an optional field counts as left out. Switched off, it is refused."}, func(r *rules) *bool { return &r.null }},
	{Rule{RuleTextLength, "B14", "ours, from what is read back", true, false, false, "A text has at most 50,000 characters."}, func(r *rules) *bool { return &r.textLength }},
	{Rule{RuleMoreEnums, "B14", "a sister API", false, false, false, "Switched on, channel may be 5 and 6, and a service's status 11 to 13."}, func(r *rules) *bool { return &r.moreEnums }},
	{Rule{RuleNoSearch, "B14", "a note; its effect is inferred", false, false, false, "Switched on, searches are refused, as for a mobile app."}, func(r *rules) *bool { return &r.noSearch }},
	{Rule{RuleContexts, "B14", "documented, the code is inferred", true, true, false, "An impression belongs to an engagement that was offered in its session."}, func(r *rules) *bool { return &r.contexts }},
	{Rule{RuleIDs, "S4 S5", "inferred", true, false, false, "vid and sid have the form of LivePerson's own."}, func(r *rules) *bool { return &r.ids }},
	{Rule{RuleKeepVid, "S7 S10", "inferred", true, true, false, "A vid that came without a live session is kept. Switched off, there is a new one."}, func(r *rules) *bool { return &r.keepVid }},
	{Rule{RuleDomainVersion, "D4", "inferred", true, false, false, "A lookup of the domain has version=1.0."}, func(r *rules) *bool { return &r.domainVersion }},
	{Rule{RuleDomainMethod, "D6", "ours", true, false, false, "A lookup of the domain is a GET."}, func(r *rules) *bool { return &r.domainMethod }},
}

// remarks is the table of the rules that only remark.
var remarks = []Rule{
	{"guessable_sub", "B9", "documented, the remark is ours", true, true, true, "A sub or consumerId is an e-mail address, a phone number or a number."},
	{"retry_without_vid", "S3", "documented, the remark is ours", true, false, true, "A report came again without the vid of the loading answer."},
	{"parallel_first", "S13", "inferred", true, true, true, "Two first reports of a visitor were under way at once."},
	{"session_leak", "S12", "ours", true, true, true, "A visitor with a live session came without its ids."},
	{"stale_pair", "S10", "ours", true, true, true, "Ids came again that were answered with others."},
	{"mixed_form", "B14", "ours", true, true, true, "A plain POST used LivePerson's own name of an attribute."},
	{"obh_not_true", "T9", "ours", true, true, true, "A report in the reference form came without obh=true."},
	{"purchase_without_order_id", "B14", "ours", true, true, true, "A repeat of the order could not be told."},
	{"lead_without_lead_id", "B14", "ours", true, true, true, "A repeat of the lead could not be told."},
	{"service_without_service_id", "B14", "ours", true, true, true, "A repeat of the activity could not be told."},
	{"customer_id_without_loa1", "B14", "ours", true, true, true, "customerId came with an identity that is not authenticated."},
	{"store_field_with_loa1", "B14", "ours", true, true, true, "storeZipCode or storeNumber came with loa1."},
	{"num_items_differs", "B14", "ours", true, true, true, "numItems is not the sum of the quantities."},
	{"total_differs", "B14", "ours", true, true, true, "total is not the sum of price by quantity."},
	{"currency_form", "B14", "ours", true, true, true, "A currency is not three capital letters."},
	{"domain_lookups", "D8", "ours", true, true, true, "An account's domain was asked for again within a minute."},
}

// Rules lists every rule: first those that refuse or choose, in the order in
// which they meet a request, then those that only remark.
func Rules() []Rule {
	all := make([]Rule, 0, len(checks)+len(remarks))
	for _, c := range checks {
		all = append(all, c.Rule)
	}
	return append(all, remarks...)
}

// RuleNames lists the names that Options.Rules may have, as Rules does.
func RuleNames() []string {
	var names []string
	for _, r := range Rules() {
		names = append(names, r.Name)
	}
	return names
}

// switched says whether a rule is on.
func (o Options) switched(r Rule) bool {
	if on, ok := o.Rules[r.Name]; ok {
		return on
	}
	switch {
	case r.Name == RuleTLS && o.RequireTLS:
		return true
	case o.Lenient:
		return r.Lenient
	default:
		return r.Strict
	}
}

func (o Options) rules() rules {
	r := rules{quiet: map[string]bool{}}
	for _, c := range checks {
		*c.at(&r) = o.switched(c.Rule)
	}
	for _, m := range remarks {
		r.quiet[m.Name] = !o.switched(m)
	}
	return r
}
