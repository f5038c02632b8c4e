// Package lpsim is a simulator of LivePerson's Monitoring API and Domain API,
// for tests, for the demo, and for people who have no LivePerson account.
//
// A call meets its fault, if one is set for it (T1: faults.go, faultset.go).
// Else it goes through rings of checks, each in its own file, and the first that
// fails answers it:
//
//	transport.go  T2 to T14   address, method, version, account, headers, JSON
//	body.go       B1 to B13   identification, identities, entry points
//	sde.go        B14         every engagement attribute against its schema
//	session.go    S1 to S13   cold accounts, visitors and sessions
//	domain.go     D1 to D8    the Domain API
//
// What LivePerson's pages do not say is a rule with a name that can be switched
// (rules.go). What passes is stored in arrival order, all of a call or nothing of
// it. What an agent would now know of a visitor is worked out from that history
// (readback.go) and shown at / (page.go) and under /_sim/ (control.go,
// status.go). All times are those of a clock that can be moved (clock.go).
//
// Everything lives in memory and within bounds: the oldest requests are
// dropped first, then the visitors not heard of for longest. The package
// imports nothing of Signal, so that it cannot share a misunderstanding with
// the client it tests. It is not LivePerson and its pages say so.
package lpsim
