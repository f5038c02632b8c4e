package lpsim

import (
	"slices"
	"strings"
)

// A flaw is where a value breaks its schema: fine, or a path below the value
// such as ".cart.total", or "." for the value itself.
type flaw string

const (
	fine flaw = ""
	here flaw = "."
)

func (f flaw) suffix() string {
	if f == here {
		return ""
	}
	return string(f)
}

// under puts a step in front of a flaw's path.
func (f flaw) under(step string) flaw {
	if f == fine {
		return fine
	}
	return flaw(step + f.suffix())
}

// A want checks one value that is there.
type want func(k *checker, n node) flaw

// A shape is the schema of an object.
type shape struct {
	fields   map[string]want
	required []string // reported in this order
}

// A checker holds the switches that the schema depends on.
type checker struct {
	*rules
	form       form
	dialect    string
	engagement bool
}

// kinds are the attributes by their name on the wire. The seed's names are in
// seedNames; every other read-back name is unknown.
var kinds = map[string]shape{
	"cart": cartShape,
	"purchase": {fields: map[string]want{
		"total": double, "currency": text, "orderId": text,
		"cart": object(shape{required: []string{"products"}, fields: map[string]want{
			"numItems": integer, "products": listOf(object(productLine)),
		}}),
	}},
	"prodView": {fields: map[string]want{
		"currency": text, "products": listOf(object(viewedLine)),
	}},
	"ctmrinfo":   {fields: map[string]want{"info": object(customerShape)}},
	"mrktInfo":   {fields: map[string]want{"info": object(marketingShape)}},
	"personal":   {fields: map[string]want{"personal": object(personalShape)}},
	"lead":       {fields: map[string]want{"lead": object(leadShape)}},
	"service":    {fields: map[string]want{"service": object(serviceShape)}},
	"error":      {fields: map[string]want{"error": object(errorShape)}},
	"searchInfo": searchShape,

	"impDisplay":  {fields: impression(map[string]want{"eContext": listOf(object(contextShape))}), required: []string{"campaign", "engId", "revision", "eContext"}},
	"impAccept":   {fields: impression(map[string]want{"eContext": listOf(object(contextShape))}), required: []string{"campaign", "engId", "revision", "eContext"}},
	"impExpanded": {fields: impression(map[string]want{"expanded": anything, "userInit": anything, "actionableItems": anything}), required: []string{"campaign", "engId", "revision"}},
	"impTimeout":  {fields: impression(nil), required: []string{"campaign", "engId", "revision"}},
	"impClose":    {fields: impression(nil), required: []string{"campaign", "engId", "revision"}},
}

// seedNames are what the seed's form calls two of the attributes.
var seedNames = map[string]string{"cartStatus": "cart", "searchContent": "searchInfo"}

var (
	productFields = map[string]want{"name": text, "category": text, "sku": text, "price": double}
	viewedFields  = map[string]want{
		"name": text, "category": text, "sku": text, "price": double,
		"statusInStock": text, "quantityInStock": integer,
	}
	productLine = shape{required: []string{"product"}, fields: map[string]want{
		"product": object(shape{fields: productFields}), "quantity": integer,
	}}
	viewedLine = shape{required: []string{"product"}, fields: map[string]want{
		"product": object(shape{fields: viewedFields}), "quantity": integer,
	}}
	cartShape = shape{required: []string{"total", "numItems"}, fields: map[string]want{
		"total": double, "currency": text, "numItems": count, "products": listOf(object(productLine)),
	}}
	searchShape = shape{fields: map[string]want{"keywords": listOf(text)}}
	dateShape   = shape{required: []string{"day", "month", "year"}, fields: map[string]want{
		"day": between(1, 31), "month": between(1, 12), "year": between(1900, 2100),
	}}
	customerShape = shape{fields: map[string]want{
		"cstatus": text, "ctype": text, "customerId": text, "balance": double, "currency": text,
		"socialId": text, "imei": text, "userName": text, "companySize": integer,
		"companyBranch": text, "accountName": text, "role": text,
		"lastPaymentDate": object(dateShape), "registrationDate": object(dateShape),
		"loginStatus": integer, "storeZipCode": text, "storeNumber": text,
	}}
	marketingShape = shape{fields: map[string]want{"channel": channel, "affiliate": text, "campaignId": text}}
	personalShape  = shape{fields: map[string]want{
		"firstname": text, "lastname": text, "gender": word("MALE", "FEMALE", "OTHER"),
		"company": text, "language": language,
		"age": object(shape{fields: map[string]want{
			"age": integer, "year": integer, "month": integer, "day": integer,
		}}),
		"contacts": listOf(object(shape{fields: map[string]want{
			"email": text, "phone": text,
			"phoneType": word("HOME", "MOBILE", "WORK", "FAX", "MAIN", "HOME_FAX", "WORK_FAX", "PAGER", "OTHER"),
			"address":   object(shape{fields: map[string]want{"country": text, "region": text}}),
		}})),
	}}
	leadShape    = shape{fields: map[string]want{"topic": text, "value": double, "currency": text, "leadId": text}}
	serviceShape = shape{fields: map[string]want{"topic": text, "status": serviceStatus, "category": text, "serviceId": text}}
	errorShape   = shape{fields: map[string]want{
		"contextId": text, "message": text, "code": text, "level": integer, "resolved": boolean,
	}}
	contextShape = shape{required: []string{"type", "id"}, fields: map[string]want{
		"type": word("engagementContext"), "id": text,
	}}
)

func impression(more map[string]want) map[string]want {
	fields := map[string]want{"campaign": double, "engId": double, "revision": double}
	for name, r := range more {
		fields[name] = r
	}
	return fields
}

// attribute checks one entry of engagementAttributes.
func (k *checker) attribute(n node) flaw {
	if n.kind != '{' {
		return here
	}
	t := n.get("type")
	if t.kind != '"' {
		return ".type"
	}
	name := k.canonical(t.text)
	s, known := kinds[name]
	switch {
	case !known:
		return when(!k.types && !misnamed(t.text)).under(".type")
	case isImpression(name) && k.engagement, k.noSearch && name == "searchInfo":
		return ".type"
	}
	return s.check(k, n, true)
}

// readBackNames are what LivePerson's reporting calls the attributes. On the
// wire they are wrong.
var readBackNames = strings.Fields(`cartStatus serviceActivity visitorError searchContent viewedProduct customerInfo
	personalInfo marketingCampaignInfo`)

// misnamed says whether a type that is not known is the wrong name of one that
// is: empty, in other letters' case, or a name of the read-back, also written
// CART_STATUS.
func misnamed(name string) bool {
	plain := strings.ReplaceAll(name, "_", "")
	for known := range kinds {
		if strings.EqualFold(plain, known) {
			return true
		}
	}
	return plain == "" || slices.ContainsFunc(readBackNames, func(known string) bool { return strings.EqualFold(plain, known) })
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

func isImpression(kind string) bool {
	return oneOf(kind, "impDisplay", "impAccept", "impExpanded", "impTimeout", "impClose")
}

func (s shape) check(k *checker, n node, top bool) flaw {
	if n.kind != '{' {
		return here
	}
	for _, name := range s.required {
		if !n.get(name).there() {
			return flaw("." + name)
		}
	}
	for _, m := range n.members {
		if top && m.name == "type" {
			continue
		}
		r, known := s.fields[m.name]
		switch {
		case !known && k.sdeFields:
			return flaw("." + m.name)
		case !known, m.value.kind == 'n' && k.null: // null counts as left out
			continue
		}
		if f := r(k, m.value); f != fine {
			return f.under("." + m.name)
		}
	}
	return fine
}
