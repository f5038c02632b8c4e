package liveperson

import "encoding/json"

// The types below are the engagement attributes (SDEs) that LivePerson has, and
// its impression events, as a mapping writes them. They are the schema: checkSDE
// reads their tags once and holds every SDE against them. A tag "need" marks
// what LivePerson requires, "min" and "max" bound a whole number, "enum" lists
// the words a text may be, and "sum" names what a report's summary shows.
//
// A text has at most 50,000 characters. A field that is null counts as absent.

// Number is a JSON number with its digits as they came: 11.70 stays 11.70.
type Number = json.Number

// Int is a whole JSON number, with its digits as they came. 30.0 is whole.
type Int json.Number

// Channel is a whole number, also as text in decimal: LivePerson's own pages
// show both.
type Channel json.Number

// Anything is a value of which LivePerson's pages show nothing but null.
type Anything json.RawMessage

// Language is a language, with a country or without: en, en-GB, fr_CA.
type Language string

// Cart is the whole cart of the visitor. Each one replaces the one before, so
// an empty cart is sent with its zeros.
type Cart struct {
	Type     string `json:"type"`                        // cartStatus; LivePerson's reference: cart
	Total    Number `json:"total" need:"true" sum:"yes"` // major units of Currency
	Currency string `json:"currency" sum:"yes"`          // ISO 4217
	NumItems Int    `json:"numItems" need:"true" min:"0" sum:"yes"`
	Products []Line `json:"products"`
}

// Purchase is one order. LivePerson marks a repeat by its OrderID.
type Purchase struct {
	Type     string     `json:"type"` // purchase
	Total    Number     `json:"total" sum:"yes"`
	Currency string     `json:"currency" sum:"yes"`
	OrderID  string     `json:"orderId" sum:"yes"`
	Cart     *OrderCart `json:"cart"`
}

// OrderCart is what was in an order.
type OrderCart struct {
	Products []Line `json:"products" need:"true"`
	NumItems Int    `json:"numItems" min:"0"`
}

// Line is one product of a cart or an order.
type Line struct {
	Product  *Product `json:"product" need:"true"`
	Quantity Int      `json:"quantity"`
}

// Product is what was put into a cart or ordered.
type Product struct {
	Name     string `json:"name"`
	Category string `json:"category"`
	SKU      string `json:"sku"`
	Price    Number `json:"price"` // of one
}

// ProductView is one look at one or more products.
type ProductView struct {
	Type     string       `json:"type"` // prodView
	Currency string       `json:"currency"`
	Products []ViewedLine `json:"products"`
}

// ViewedLine is one product that was looked at.
type ViewedLine struct {
	Product  *ViewedProduct `json:"product" need:"true"`
	Quantity Int            `json:"quantity"`
}

// ViewedProduct is a Product with what is left of it.
type ViewedProduct struct {
	Name            string `json:"name" sum:"yes"`
	Category        string `json:"category"`
	SKU             string `json:"sku" sum:"yes"`
	Price           Number `json:"price"`
	StatusInStock   string `json:"statusInStock"`
	QuantityInStock Int    `json:"quantityInStock"`
}

// Lead is a visitor's interest in an offer. LivePerson marks a repeat by its
// LeadID.
type Lead struct {
	Type string     `json:"type"` // lead
	Lead LeadFields `json:"lead" need:"true"`
}

// LeadFields are the fields of a Lead.
type LeadFields struct {
	Topic    string `json:"topic" sum:"yes"`
	Value    Number `json:"value"`
	Currency string `json:"currency"`
	LeadID   string `json:"leadId" sum:"yes"`
}

// Search is what the visitor searched for.
type Search struct {
	Type     string   `json:"type"` // searchContent; LivePerson's reference: searchInfo
	Keywords []string `json:"keywords" sum:"yes"`
}

// CustomerInfo is what the brand knows of a customer. Each one replaces the one
// before, so it is sent whole.
type CustomerInfo struct {
	Type string             `json:"type"` // ctmrinfo
	Info CustomerInfoFields `json:"info" need:"true"`
}

// CustomerInfoFields are the fields of a CustomerInfo. Status and Kind are of
// lists that the account configures, compared without regard to case; others
// are taken and are of no use for targeting. Balance may be below 0.
type CustomerInfoFields struct {
	Status           string `json:"cstatus"`
	Kind             string `json:"ctype"`
	CustomerID       string `json:"customerId"`
	Balance          Number `json:"balance"`
	Currency         string `json:"currency"`
	SocialID         string `json:"socialId"`
	IMEI             string `json:"imei"`
	UserName         string `json:"userName"`
	CompanySize      Int    `json:"companySize"`
	CompanyBranch    string `json:"companyBranch"`
	AccountName      string `json:"accountName"`
	Role             string `json:"role"`
	LastPaymentDate  *Date  `json:"lastPaymentDate"`
	RegistrationDate *Date  `json:"registrationDate"`
	LoginStatus      Int    `json:"loginStatus"`
	StoreZipCode     string `json:"storeZipCode"`
	StoreNumber      string `json:"storeNumber"`
}

// Date is a day.
type Date struct {
	Day   Int `json:"day" need:"true" min:"1" max:"31"`
	Month Int `json:"month" need:"true" min:"1" max:"12"`
	Year  Int `json:"year" need:"true" min:"1900" max:"2100"`
}

// Personal is who the visitor is. Each one replaces the one before, so it is
// sent whole.
type Personal struct {
	Type     string         `json:"type"` // personal
	Personal PersonalFields `json:"personal" need:"true"`
}

// PersonalFields are the fields of a Personal.
type PersonalFields struct {
	FirstName string    `json:"firstname"`
	LastName  string    `json:"lastname"`
	Age       *Age      `json:"age"`
	Contacts  []Contact `json:"contacts"`
	Gender    string    `json:"gender" enum:"MALE FEMALE OTHER"`
	Company   string    `json:"company"`
	Language  Language  `json:"language"`
}

// Age is the age in years, or the day of birth.
type Age struct {
	Age   Int `json:"age"`
	Year  Int `json:"year"`
	Month Int `json:"month"`
	Day   Int `json:"day"`
}

// Contact is one way to reach the visitor.
type Contact struct {
	Email     string   `json:"email"`
	Phone     string   `json:"phone"`
	PhoneType string   `json:"phoneType" enum:"HOME MOBILE WORK FAX MAIN HOME_FAX WORK_FAX PAGER OTHER"`
	Address   *Address `json:"address"`
}

// Address is where the visitor lives, roughly.
type Address struct {
	Country string `json:"country"`
	Region  string `json:"region"`
}

// Marketing is where the visitor came from. Each one replaces the one before.
type Marketing struct {
	Type string          `json:"type"` // mrktInfo
	Info MarketingFields `json:"info" need:"true"`
}

// MarketingFields are the fields of a Marketing. Channel is 0 direct, 1 search,
// 2 social, 3 e-mail, 4 referral. Affiliate is the source, such as google.
type MarketingFields struct {
	Channel    Channel `json:"channel" min:"0" max:"4"`
	Affiliate  string  `json:"affiliate"`
	CampaignID string  `json:"campaignId"`
}

// Service is something the brand does for the visitor, such as a ticket. It is
// sent whole, since a messaging account replaces the one before. LivePerson
// marks a repeat by its ServiceID.
type Service struct {
	Type    string        `json:"type"` // service
	Service ServiceFields `json:"service" need:"true"`
}

// ServiceFields are the fields of a Service. Status is 0 complete, 1 in
// progress, 2 approved, 3 cancelled, 4 not approved, 5 reviewed, 6 missing
// details, 7 closed, 8 removed, 9 assigned, 10 waiting.
type ServiceFields struct {
	Topic     string `json:"topic" sum:"yes"`
	Status    Int    `json:"status" min:"0" max:"10"`
	Category  string `json:"category"`
	ServiceID string `json:"serviceId" sum:"yes"`
}

// VisitorError is a fault that the visitor met on the site.
type VisitorError struct {
	Type  string             `json:"type"` // error
	Error VisitorErrorFields `json:"error" need:"true"`
}

// VisitorErrorFields are the fields of a VisitorError. ContextID is where it
// happened, such as a form. An error stays with the session until one like it
// is Resolved.
type VisitorErrorFields struct {
	ContextID string `json:"contextId" sum:"yes"`
	Message   string `json:"message"`
	Code      string `json:"code" sum:"yes"`
	Level     Int    `json:"level"`
	Resolved  bool   `json:"resolved"`
}

// Shown says that the visitor was shown an engagement, or took it up. Like all
// impressions it is valid only in the session of LivePerson's in which the
// engagement was offered; its numbers and the context are those of that offer.
type Shown struct {
	Type     string              `json:"type"`                 // impDisplay or impAccept
	Campaign Int                 `json:"campaign" need:"true"` // campaignId of the offer
	EngID    Int                 `json:"engId" need:"true"`    // engagementId of the offer
	Revision Int                 `json:"revision" need:"true"` // engagementRevision of the offer
	EContext []EngagementContext `json:"eContext" need:"true"`
}

// EngagementContext names the offer of an engagement.
type EngagementContext struct {
	Type string `json:"type" need:"true" enum:"engagementContext"`
	ID   string `json:"id" need:"true"` // contextId of the offer, such as 1
}

// Expanded says that the visitor opened an engagement further.
type Expanded struct {
	Type            string   `json:"type"` // impExpanded
	Expanded        Anything `json:"expanded"`
	UserInit        Anything `json:"userInit"`
	ActionableItems Anything `json:"actionableItems"`
	Campaign        Int      `json:"campaign" need:"true"`
	EngID           Int      `json:"engId" need:"true"`
	Revision        Int      `json:"revision" need:"true"`
}

// Ended says that the visitor let an engagement pass, or closed it.
type Ended struct {
	Type     string `json:"type"` // impTimeout or impClose
	Campaign Int    `json:"campaign" need:"true"`
	EngID    Int    `json:"engId" need:"true"`
	Revision Int    `json:"revision" need:"true"`
}
