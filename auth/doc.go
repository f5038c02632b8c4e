// Package auth says who somebody is and what they may do: passwords, roles,
// sessions of the console, API tokens, the rate of sign-ins, and the one-time
// link that makes the first account.
//
// It decides nothing about a page or an endpoint: an operation asks the Actor's
// Role whether it may go on. It keeps its state in the store and never logs a
// password, a token or an e-mail.
package auth
