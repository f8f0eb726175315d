package predict

import "math"

// A histogram counts times in bins that are narrower than 0.1 % of the time: all
// floating-point numbers that agree in the exponent and in the first binaryDigits
// of the fraction share one. It is what an HDR histogram is, but quick to clear
// and to read where few of the bins are in use: a run has many.
type histogram struct {
	counts    []uint32 // nil until something is counted
	low, high int      // the bins in use lie between; high is not one
}

const binaryDigits = 10

func binOf(ns int64) int {
	return int(math.Float64bits(float64(max(ns, 1)))>>(52-binaryDigits)) - int(math.Float64bits(1)>>(52-binaryDigits))
}

// middle is the middle of a bin, in nanoseconds.
func middle(bin int) float64 {
	edge := func(bin int) float64 {
		return math.Float64frombits(math.Float64bits(1) + uint64(bin)<<(52-binaryDigits))
	}
	return (edge(bin) + edge(bin+1)) / 2
}

func (h *histogram) add(ns int64) { h.merge(bin{binOf(ns), 1}) }

func (h *histogram) merge(b bin) {
	if h.counts == nil {
		h.counts = make([]uint32, binOf(math.MaxInt64)+1)
	}
	if h.high == 0 {
		h.low, h.high = b.number, b.number+1
	}
	h.low, h.high = min(h.low, b.number), max(h.high, b.number+1)
	h.counts[b.number] += b.count
}

// quantile is the time within which a share of all was, in milliseconds; 0 if
// there is none.
func (h *histogram) quantile(share float64, total int64) float64 {
	want, below := int64(math.Ceil(share*float64(total))), int64(0)
	for b := h.low; b < h.high; b++ {
		if below += int64(h.counts[b]); below >= want && below > 0 {
			return middle(b) / 1e6
		}
	}
	return 0
}

func (h *histogram) reset() {
	if h.counts != nil {
		clear(h.counts[h.low:h.high])
	}
	h.low, h.high = 0, 0
}

// A bin is a number of times that are the same to three digits.
type bin struct {
	number int
	count  uint32
}

// bins are those that are not empty, in ascending order.
func (h *histogram) bins() []bin {
	n := 0
	for b := h.low; b < h.high; b++ {
		if h.counts[b] > 0 {
			n++
		}
	}
	list := make([]bin, 0, n)
	for b := h.low; b < h.high; b++ {
		if count := h.counts[b]; count > 0 {
			list = append(list, bin{b, count})
		}
	}
	return list
}
