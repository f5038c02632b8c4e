package event

// A Place is where an event stands in the EVENTS journal: its frame and its
// index there. It names the event for good, and orders events.
type Place struct {
	Seq   uint64 `json:"seq"`
	Index int    `json:"i"`
}

// Before reports whether p stands before q.
func (p Place) Before(q Place) bool {
	return p.Seq < q.Seq || p.Seq == q.Seq && p.Index < q.Index
}
