package integrations

// A Paced connection says how fast its vendor may be called. A Connection that
// is not Paced takes delivery's defaults.
type Paced interface {
	// Rate gives the requests per second, with a burst of the same number, and
	// how many requests may be in flight at once. Both are above 0.
	Rate() (perSecond float64, concurrency int)
}

// A Batcher says which items may travel together. delivery asks it before
// Build; a Connection that is no Batcher takes all items that it is given.
type Batcher interface {
	// Batch gives how many of the leading items go into one request: at least
	// 1 unless items is empty. It is pure.
	Batch(items []Item) int
}

// A SettingFault is what is wrong with one setting. Vendor.Check joins them, so
// that a form shows each at its field (errors.As on the parts of the join).
type SettingFault struct {
	Setting string // its name, as in signal.yaml
	Message string // what is wrong and how it should look, without the name
}

// Error gives the fault with the name of its setting in front.
func (f *SettingFault) Error() string { return f.Setting + ": " + f.Message }
