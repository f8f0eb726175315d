package sim

import "slices"

// Scaled is the distribution of d's times multiplied by a factor of 0 or more:
// its shape with another mean.
func (d Dist) Scaled(factor float64) Dist {
	if factor == 0 {
		return Dist{}
	}
	switch d.kind {
	case constant:
		return Constant(d.a * factor)
	case exponential:
		return Exponential(d.a * factor)
	case lognormal:
		return Lognormal(d.a*factor, d.b)
	case hyperexponential, quantiles:
		d.x, d.y = slices.Clone(d.x), slices.Clone(d.y)
		for i := range d.y {
			d.y[i] *= factor
		}
	}
	return d
}
