package ops

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// NewRegistry makes a registry with what is true of every process: Go, the
// process itself, and signal_build_info. Each room registers its own metrics
// with it.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	b := Current()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "signal_build_info",
			Help:        "The build that runs, as labels; always 1.",
			ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go": b.Go},
		}, func() float64 { return 1 }),
	)
	return r
}

// A Count is one number that a room keeps anyway and that /metrics shows.
type Count struct {
	Name   string // "signal_events_accepted_total"
	Help   string
	Labels map[string]string
	Gauge  bool           // it can fall
	Value  func() float64 // safe for many goroutines, and quick
}

// RegisterCounts adds counts to r.
func RegisterCounts(r prometheus.Registerer, counts ...Count) error {
	for _, c := range counts {
		var m prometheus.Collector
		if c.Gauge {
			m = prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: c.Name, Help: c.Help, ConstLabels: c.Labels}, c.Value)
		} else {
			m = prometheus.NewCounterFunc(prometheus.CounterOpts{Name: c.Name, Help: c.Help, ConstLabels: c.Labels}, c.Value)
		}
		if err := r.Register(m); err != nil {
			return err
		}
	}
	return nil
}

// Metrics serves /metrics.
func Metrics(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{})
}
