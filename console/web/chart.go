package web

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/datafly/signal/console/desk"
)

// A chart is drawn on the server as lines in a box of 1000 by 100, stretched to
// the card. The labels stand beside it as text, so they do not stretch.
type chart struct {
	Title string
	Lines []chartLine
	Area  string
	Ys    []string // from the bottom
	Xs    []time.Time
	XForm string
	Rows  []chartRow // the same numbers
}

type chartLine struct{ Name, Class, Path string }

type chartRow struct {
	At    time.Time
	Cells []string
}

// overviewCharts draws the two charts of Overview.
func overviewCharts(s desk.Series, r desk.Range, now time.Time) []chart {
	step := float64(max(1, s.StepSeconds))
	// A step that has just begun says nothing yet.
	if n := len(s.Points); n > 1 && now.Sub(s.Points[n-1].At).Seconds() < step/5 {
		s.Points = s.Points[:n-1]
	}
	var accepted, delivered, median, p95 []float64
	for _, p := range s.Points {
		over := min(step, max(1, now.Sub(p.At).Seconds())) // the last step is not over yet
		accepted = append(accepted, float64(max(0, p.Accepted))/over)
		delivered = append(delivered, float64(max(0, p.Delivered))/over)
		median = append(median, p.MedianMS)
		p95 = append(p95, p.P95MS)
	}
	form := "min"
	if r == desk.Week {
		form = "day"
	}
	return []chart{
		draw("Events per second", s.Points, form, rateWord, true,
			series{"accepted events", "line-1", accepted}, series{"deliveries", "line-2", delivered}),
		draw("Time to deliver", s.Points, form, msWord, false,
			series{"half are faster", "line-1", median}, series{"95 % are faster", "line-3", p95}),
	}
}

type series struct {
	name, class string
	values      []float64
}

func draw(title string, points []desk.Point, form string, word func(float64) string, area bool, lines ...series) chart {
	top := 0.0
	for _, l := range lines {
		for _, v := range l.values {
			top = max(top, v)
		}
	}
	tick, n := ticks(top)
	c := chart{Title: title, XForm: form}
	for i := 0; i <= n; i++ {
		c.Ys = append(c.Ys, word(float64(i)*tick))
	}
	for i, l := range lines {
		d := lineOf(l.values, tick*float64(n), 1000, 100)
		c.Lines = append(c.Lines, chartLine{l.name, l.class, d})
		if i == 0 && area && len(l.values) > 1 {
			c.Area = d + "L1000 100L0 100Z"
		}
	}
	for i, p := range points {
		row := chartRow{At: p.At}
		for _, l := range lines {
			row.Cells = append(row.Cells, word(l.values[i]))
		}
		c.Rows = append(c.Rows, row)
	}
	const labels = 6
	for i := 0; i <= labels && len(points) > labels; i++ {
		c.Xs = append(c.Xs, points[i*(len(points)-1)/labels].At)
	}
	return c
}

// ticks gives round steps of an axis that reaches top: 1, 2 or 5 times a power
// of ten, and three or four of them.
func ticks(top float64) (step float64, n int) {
	if top <= 0 {
		return 1, 3
	}
	raw := top / 3
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if step = m * power; step >= raw {
			break
		}
	}
	return step, max(1, int(math.Ceil(top/step-1e-9)))
}

func lineOf(values []float64, top, width, height float64) string {
	var b strings.Builder
	for i, v := range values {
		x := 0.0
		if len(values) > 1 {
			x = float64(i) * width / float64(len(values)-1)
		}
		b.WriteByte("ML"[min(i, 1)])
		b.WriteString(strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64))
		b.WriteByte(' ')
		b.WriteString(strconv.FormatFloat(math.Round((height-v/top*height)*10)/10, 'f', -1, 64))
	}
	return b.String()
}

func gridY(i, n int) string {
	if n < 2 {
		return "100"
	}
	return strconv.FormatFloat(100-100*float64(i)/float64(n-1), 'f', 2, 64)
}

func rateWord(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100:
		return count(int64(math.Round(v)))
	case v >= 10 || v == math.Trunc(v):
		return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
	}
	return strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64)
}

func msWord(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) + " ms"
	case v < 10_000:
		return count(int64(math.Round(v))) + " ms"
	}
	return age(time.Duration(v) * time.Millisecond)
}

func sum(values []int64) (total int64) {
	for _, v := range values {
		total += v
	}
	return total
}

// sparkPath draws a small line without an axis.
func sparkPath(values []int64) string {
	top := int64(1)
	var f []float64
	for _, v := range values {
		top = max(top, v)
		f = append(f, float64(max(0, v)))
	}
	return lineOf(f, float64(top)*1.05, 84, 21)
}
