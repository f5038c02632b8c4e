package mapping

import (
	"cmp"
	"encoding/json"
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// A decimal is an exact number: coef / 10^scale, with small in the place of
// coef where that is nil. Sums of prices in binary floats end in digits that
// nobody sent.
type decimal struct {
	small int64
	coef  *big.Int
	scale int
}

// whole gives an integer as a decimal.
func whole(n int64) decimal { return decimal{small: n} }

// big gives the coefficient, whatever its size.
func (d decimal) big() *big.Int {
	if d.coef == nil {
		return big.NewInt(d.small)
	}
	return d.coef
}

func (d decimal) sign() int {
	if d.coef == nil {
		return cmp.Compare(d.small, 0)
	}
	return d.coef.Sign()
}

// bits says how much work the number makes.
func (d decimal) bits() int {
	if d.coef == nil {
		return 1
	}
	return d.coef.BitLen()
}

// Limits of a number in an expression. A double ends at 309 digits.
const (
	maxDigits   = 320
	quotientDot = 16 // digits behind the point that a division gives at most
)

var errDigits = errors.New("a number has too many digits")

// parseDecimal reads a number by the grammar of JSON.
func parseDecimal(s string) (decimal, error) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	integer, fraction, _ := strings.Cut(mantissa, ".")
	if exponent == "" && len(integer)+len(fraction) <= 18 {
		n, err := smallDigits(integer, fraction)
		return decimal{small: n, scale: len(fraction)}, err
	}
	shift := 0
	if exponent != "" {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil || shift > maxDigits || shift < -maxDigits {
			return decimal{}, errDigits
		}
	}
	if len(integer)+len(fraction) > maxDigits {
		return decimal{}, errDigits
	}
	coef, ok := new(big.Int).SetString(integer+fraction, 10)
	if !ok {
		return decimal{}, errors.New("not a number")
	}
	return decimal{coef: coef, scale: len(fraction) - shift}.bounded()
}

// smallDigits reads up to 18 digits on both sides of a point.
func smallDigits(integer, fraction string) (int64, error) {
	digits, negative := strings.CutPrefix(integer, "-")
	n := int64(0)
	for _, part := range [2]string{digits, fraction} {
		for i := range len(part) {
			if part[i] < '0' || part[i] > '9' {
				return 0, errors.New("not a number")
			}
			n = n*10 + int64(part[i]-'0')
		}
	}
	if negative {
		n = -n
	}
	return n, nil
}

// bounded gives d with a scale of at least 0, or an error when it is too long.
func (d decimal) bounded() (decimal, error) {
	if d.scale < 0 {
		d = d.to(0)
	}
	if d.scale > 2*maxDigits || d.bits() > maxDigits*7/2 {
		return decimal{}, errDigits
	}
	return d, nil
}

// to gives d with a scale that is not less than its own.
func (d decimal) to(scale int) decimal {
	up := scale - d.scale
	if up == 0 {
		return d
	}
	if d.coef == nil && up < len(powers) && magnitude(d.small) < room/powers[up] {
		return decimal{small: d.small * powers[up], scale: scale}
	}
	return decimal{coef: new(big.Int).Mul(d.big(), pow10(up)), scale: scale}
}

// powers are those of ten that leave room to multiply without overflow.
var powers = [...]int64{1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12}

const room = 1 << 62

func magnitude(n int64) int64 { return max(n, -n) }

func pow10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

func (d decimal) add(e decimal) (decimal, error) {
	s := max(d.scale, e.scale)
	d, e = d.to(s), e.to(s)
	if d.coef == nil && e.coef == nil && magnitude(d.small) < room && magnitude(e.small) < room {
		return decimal{small: d.small + e.small, scale: s}, nil
	}
	return decimal{coef: new(big.Int).Add(d.big(), e.big()), scale: s}.bounded()
}

func (d decimal) mul(e decimal) (decimal, error) {
	if d.coef == nil && e.coef == nil && magnitude(d.small) < 1<<31 && magnitude(e.small) < 1<<31 {
		return decimal{small: d.small * e.small, scale: d.scale + e.scale}, nil
	}
	return decimal{coef: new(big.Int).Mul(d.big(), e.big()), scale: d.scale + e.scale}.bounded()
}

func (d decimal) neg() decimal {
	if d.coef == nil {
		return decimal{small: -d.small, scale: d.scale}
	}
	return decimal{coef: new(big.Int).Neg(d.coef), scale: d.scale}
}

// div rounds what does not come out even half away from zero.
func (d decimal) div(e decimal) (decimal, error) {
	if e.sign() == 0 {
		return decimal{}, errors.New("a number is divided by zero")
	}
	up := max(quotientDot+e.scale-d.scale+1, 0)
	q := new(big.Int).Quo(new(big.Int).Mul(d.big(), pow10(up)), e.big())
	return decimal{coef: q, scale: d.scale + up - e.scale}.round(quotientDot, halfAway).trimmed().bounded()
}

// trimmed drops zeros at the end of the fraction.
func (d decimal) trimmed() decimal {
	rest, ten := new(big.Int), big.NewInt(10)
	for d.scale > 0 {
		q, r := new(big.Int).QuoRem(d.big(), ten, rest)
		if r.Sign() != 0 {
			break
		}
		d = decimal{coef: q, scale: d.scale - 1}
	}
	return d
}

// A rounding says where a number goes that has too many digits.
type rounding byte

const (
	halfAway rounding = iota // from zero
	down                     // to the lower number
	up
)

// round gives d with at most scale digits behind the point.
func (d decimal) round(scale int, how rounding) decimal {
	if d.scale <= scale {
		return d
	}
	unit := pow10(d.scale - scale)
	q, r := new(big.Int).DivMod(d.big(), unit, new(big.Int)) // r is never negative
	away := false
	switch how {
	case halfAway:
		half := new(big.Int).Lsh(r, 1).Cmp(unit)
		away = half > 0 || half == 0 && d.sign() > 0
	case up:
		away = r.Sign() != 0
	}
	if away {
		q.Add(q, big.NewInt(1))
	}
	return decimal{coef: q, scale: scale}
}

func (d decimal) cmp(e decimal) int {
	s := max(d.scale, e.scale)
	d, e = d.to(s), e.to(s)
	if d.coef == nil && e.coef == nil {
		return cmp.Compare(d.small, e.small)
	}
	return d.big().Cmp(e.big())
}

// number gives d as the event would hold it.
func (d decimal) number() json.Number {
	s := strings.TrimPrefix(d.digits(), "-")
	if d.scale > 0 {
		if missing := d.scale + 1 - len(s); missing > 0 {
			s = strings.Repeat("0", missing) + s
		}
		s = s[:len(s)-d.scale] + "." + s[len(s)-d.scale:]
	}
	if d.sign() < 0 {
		s = "-" + s
	}
	return json.Number(s)
}

func (d decimal) digits() string {
	if d.coef == nil {
		return strconv.FormatInt(d.small, 10)
	}
	return d.coef.String()
}
