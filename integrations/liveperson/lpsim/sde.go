package lpsim

import "strings"

// A fault is where a value breaks its schema: fine, or a path below the value
// such as ".cart.total", or "." for the value itself.
type fault string

const (
	fine fault = ""
	here fault = "."
)

func (f fault) suffix() string {
	if f == here {
		return ""
	}
	return string(f)
}

// under puts a step in front of a fault's path.
func (f fault) under(step string) fault {
	if f == fine {
		return fine
	}
	return fault(step + f.suffix())
}

// A rule checks one value that is there.
type rule func(k *checker, n node) fault

// A shape is the schema of an object.
type shape struct {
	fields   map[string]rule
	required []string // reported in this order
}

// A checker holds the switches that the schema depends on.
type checker struct {
	rules
	form       form
	dialect    string
	engagement bool
}

// kinds are the attributes by their name on the wire. The seed's names are in
// seedNames; every other read-back name is unknown.
var kinds = map[string]shape{
	"cart": cartShape,
	"purchase": {fields: map[string]rule{
		"total": double, "currency": text, "orderId": text,
		"cart": object(shape{required: []string{"products"}, fields: map[string]rule{
			"numItems": count, "products": listOf(object(productLine)),
		}}),
	}},
	"prodView": {fields: map[string]rule{
		"currency": text, "products": listOf(object(viewedLine)),
	}},
	"ctmrinfo":   {fields: map[string]rule{"info": object(customerShape)}},
	"mrktInfo":   {fields: map[string]rule{"info": object(marketingShape)}},
	"personal":   {fields: map[string]rule{"personal": object(personalShape)}},
	"lead":       {fields: map[string]rule{"lead": object(leadShape)}},
	"service":    {fields: map[string]rule{"service": object(serviceShape)}},
	"error":      {fields: map[string]rule{"error": object(errorShape)}},
	"searchInfo": searchShape,

	"impDisplay":  {fields: impression(map[string]rule{"eContext": listOf(object(contextShape))}), required: []string{"campaign", "engId", "revision", "eContext"}},
	"impAccept":   {fields: impression(map[string]rule{"eContext": listOf(object(contextShape))}), required: []string{"campaign", "engId", "revision", "eContext"}},
	"impExpanded": {fields: impression(map[string]rule{"expanded": anything, "userInit": anything, "actionableItems": anything}), required: []string{"campaign", "engId", "revision"}},
	"impTimeout":  {fields: impression(nil), required: []string{"campaign", "engId", "revision"}},
	"impClose":    {fields: impression(nil), required: []string{"campaign", "engId", "revision"}},
}

// seedNames are what the seed's form calls two of the attributes.
var seedNames = map[string]string{"cartStatus": "cart", "searchContent": "searchInfo"}

var (
	productFields = map[string]rule{"name": text, "category": text, "sku": text, "price": double}
	viewedFields  = map[string]rule{
		"name": text, "category": text, "sku": text, "price": double,
		"statusInStock": text, "quantityInStock": integer,
	}
	productLine = shape{required: []string{"product"}, fields: map[string]rule{
		"product": object(shape{fields: productFields}), "quantity": integer,
	}}
	viewedLine = shape{required: []string{"product"}, fields: map[string]rule{
		"product": object(shape{fields: viewedFields}), "quantity": integer,
	}}
	cartShape = shape{required: []string{"total", "numItems"}, fields: map[string]rule{
		"total": double, "currency": text, "numItems": count, "products": listOf(object(productLine)),
	}}
	searchShape = shape{fields: map[string]rule{"keywords": listOf(text)}}
	dateShape   = shape{required: []string{"day", "month", "year"}, fields: map[string]rule{
		"day": between(1, 31), "month": between(1, 12), "year": between(1900, 2100),
	}}
	customerShape = shape{fields: map[string]rule{
		"cstatus": text, "ctype": text, "customerId": text, "balance": double, "currency": text,
		"socialId": text, "imei": text, "userName": text, "companySize": integer,
		"companyBranch": text, "accountName": text, "role": text,
		"lastPaymentDate": object(dateShape), "registrationDate": object(dateShape),
		"loginStatus": integer, "storeZipCode": text, "storeNumber": text,
	}}
	marketingShape = shape{fields: map[string]rule{"channel": channel, "affiliate": text, "campaignId": text}}
	personalShape  = shape{fields: map[string]rule{
		"firstname": text, "lastname": text, "gender": word("MALE", "FEMALE", "OTHER"),
		"company": text, "language": language,
		"age": object(shape{fields: map[string]rule{
			"age": integer, "year": integer, "month": integer, "day": integer,
		}}),
		"contacts": listOf(object(shape{fields: map[string]rule{
			"email": text, "phone": text,
			"phoneType": word("HOME", "MOBILE", "WORK", "FAX", "MAIN", "HOME_FAX", "WORK_FAX", "PAGER", "OTHER"),
			"address":   object(shape{fields: map[string]rule{"country": text, "region": text}}),
		}})),
	}}
	leadShape    = shape{fields: map[string]rule{"topic": text, "value": double, "currency": text, "leadId": text}}
	serviceShape = shape{fields: map[string]rule{"topic": text, "status": serviceStatus, "category": text, "serviceId": text}}
	errorShape   = shape{fields: map[string]rule{
		"contextId": text, "message": text, "code": text, "level": integer, "resolved": boolean,
	}}
	contextShape = shape{required: []string{"type", "id"}, fields: map[string]rule{
		"type": word("engagementContext"), "id": text,
	}}
)

func impression(more map[string]rule) map[string]rule {
	fields := map[string]rule{"campaign": double, "engId": double, "revision": double}
	for name, r := range more {
		fields[name] = r
	}
	return fields
}

// attribute checks one entry of engagementAttributes.
func (k *checker) attribute(n node) fault {
	if n.kind != '{' {
		return here
	}
	t := n.get("type")
	if t.kind != '"' {
		return ".type"
	}
	s, known := kinds[k.canonical(t.text)]
	switch {
	case !known:
		return ".type"
	case isImpression(t.text) && k.engagement:
		return ".type"
	case k.noSearch && k.canonical(t.text) == "searchInfo":
		return ".type"
	}
	return s.check(k, n, true)
}

// canonical gives LivePerson's name of a type as it came, or "" when the form
// of the call has no such type.
func (k *checker) canonical(name string) string {
	if k.form == seed {
		if own, ok := seedNames[name]; ok {
			return own
		}
		if k.dialect == DialectSeed && (name == "cart" || name == "searchInfo") {
			return ""
		}
	}
	return name
}

func isImpression(kind string) bool { return strings.HasPrefix(kind, "imp") }

func (s shape) check(k *checker, n node, top bool) fault {
	if n.kind != '{' {
		return here
	}
	for _, name := range s.required {
		if !n.get(name).there() {
			return fault("." + name)
		}
	}
	for _, m := range n.members {
		if top && m.name == "type" {
			continue
		}
		r, known := s.fields[m.name]
		switch {
		case !known && k.fields:
			return fault("." + m.name)
		case !known, m.value.kind == 'n': // null counts as left out
			continue
		}
		if f := r(k, m.value); f != fine {
			return f.under("." + m.name)
		}
	}
	return fine
}
