package lpsim

import "strconv"

// maxText is the longest string LivePerson says it reads back.
const maxText = 50_000

func when(ok bool) flaw {
	if ok {
		return fine
	}
	return here
}

func anything(*checker, node) flaw { return fine }

func text(k *checker, n node) flaw {
	return when(n.kind == '"' && (!k.textLength || !n.longerThan(maxText)))
}

func boolean(_ *checker, n node) flaw { return when(n.kind == 't' || n.kind == 'f') }

func double(_ *checker, n node) flaw {
	_, ok := n.number()
	return when(ok)
}

func integer(_ *checker, n node) flaw {
	_, ok := n.integer()
	return when(ok)
}

func count(_ *checker, n node) flaw {
	f, ok := n.integer()
	return when(ok && f >= 0)
}

func between(low, high float64) want {
	return func(_ *checker, n node) flaw {
		f, ok := n.integer()
		return when(ok && f >= low && f <= high)
	}
}

func word(allowed ...string) want {
	return func(_ *checker, n node) flaw { return when(n.kind == '"' && oneOf(n.text, allowed...)) }
}

func object(s shape) want {
	return func(k *checker, n node) flaw { return s.check(k, n, false) }
}

func listOf(each want) want {
	return func(k *checker, n node) flaw {
		if n.kind != '[' {
			return here
		}
		for i, item := range n.items {
			if f := each(k, item); f != fine {
				return f.under("[" + strconv.Itoa(i) + "]")
			}
		}
		return fine
	}
}

// channel is a number or a decimal string: LivePerson's table says the one,
// its examples the other.
func channel(k *checker, n node) flaw {
	high := 4.0
	if k.moreEnums {
		high = 6
	}
	if n.kind == '"' {
		i, err := strconv.Atoi(n.text)
		return when(err == nil && strconv.Itoa(i) == n.text && i >= 0 && float64(i) <= high)
	}
	return between(0, high)(k, n)
}

func serviceStatus(k *checker, n node) flaw {
	if k.moreEnums {
		return between(0, 13)(k, n)
	}
	return between(0, 10)(k, n)
}

// language is ^[a-z]{2}([-_][A-Z]{2})?$
func language(_ *checker, n node) flaw {
	s := n.text
	ok := n.kind == '"' && (len(s) == 2 || len(s) == 5) && isLower(s[0]) && isLower(s[1])
	if ok && len(s) == 5 {
		ok = (s[2] == '-' || s[2] == '_') && isUpper(s[3]) && isUpper(s[4])
	}
	return when(ok)
}
