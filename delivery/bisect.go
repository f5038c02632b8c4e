package delivery

// A vendor that refuses a report does not say which of its events is at fault.
// So the report is halved until it is found: a lane remembers into which
// stretches its leading items were cut, and a report goes no further than one.
//
//	refused:  1 2 3 4 5 6 7 8
//	cut:      1 2 3 4 | 5 6 7 8      sent: 1 2 3 4, and taken
//	so the fault is in the other half, which need not be sent whole:
//	cut:                5 6 | 7 8    sent: 5 6, …

// A stretch is a number of items that stand one behind the other.
type stretch struct {
	n     int
	first bool // the next stretch is the other half of the same report
	bad   bool // the other half was taken, so the fault should be here
}

// cuts are the stretches of a lane's leading items, in order. None means that
// items travel together as the vendor likes.
type cuts []stretch

// lead gives how many of the leading items may go into the next report, 0 for
// no bound. It halves what is bad without asking again.
func (c *cuts) lead() int {
	for len(*c) > 0 && (*c)[0].bad && (*c)[0].n > 1 {
		c.refused((*c)[0].n)
	}
	if len(*c) == 0 {
		return 0
	}
	return (*c)[0].n
}

// refused cuts the n leading items, more than one, that were refused together.
func (c *cuts) refused(n int) {
	halves := cuts{{n: n - n/2, first: true}, {n: n / 2}}
	if len(*c) > 0 {
		if rest := (*c)[0].n - n; rest > 0 {
			halves = append(halves, stretch{n: rest})
		}
		halves = append(halves, (*c)[1:]...)
	}
	*c = halves
}

// taken says that the vendor took the n leading items.
func (c *cuts) taken(n int) {
	if len(*c) > 1 && (*c)[0].first && (*c)[0].n <= n {
		(*c)[1].bad = true
	}
}

// drop takes out items that ended, by their places among the leading ones.
func (c *cuts) drop(ended func(i int) bool) {
	var left cuts
	at := 0
	for _, s := range *c {
		n := s.n
		for i := range n {
			if ended(at + i) {
				s.n--
			}
		}
		at += n
		if s.n > 0 {
			left = append(left, s)
		}
	}
	*c = left
}
