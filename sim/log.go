package sim

import "math"

// The logarithm of a uniform number is drawn for every job, and math.Log, which
// divides, is a tenth of the time that a job takes. This one looks up the
// logarithm of a number near by (Tang 1990, "Table-driven implementation of the
// logarithm function in IEEE floating-point arithmetic").

const logBits = 7

// near holds, for each interval of [1, 2), its middle, the inverse and the
// logarithm of that.
var near = func() (t [1 << logBits]struct{ middle, inverse, log float64 }) {
	for i := range t {
		m := 1 + (float64(i)+0.5)/(1<<logBits)
		t[i] = struct{ middle, inverse, log float64 }{m, 1 / m, math.Log(m)}
	}
	return t
}()

// log is the natural logarithm of a positive normal number, within 5e-16 of it
// or of 1, whichever is more: a time of that share of the mean is nothing.
func log(x float64) float64 {
	bits := math.Float64bits(x)
	exponent := float64(int(bits>>52) - 1023)
	fraction := math.Float64frombits(bits&(1<<52-1) | 1023<<52)
	n := &near[bits>>(52-logBits)&(1<<logBits-1)]
	r := (fraction - n.middle) * n.inverse // at most 1/256
	// log(1+r) by its series, in pairs of terms that do not wait for each other: the
	// next term is below 1e-19.
	r2 := r * r
	series := r - r2*((1./2-r*(1./3))+r2*((1./4-r*(1./5))+r2*(1./6-r*(1./7))))
	return exponent*math.Ln2 + (n.log + series)
}
