package sim

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestLog(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	try := func(x float64) {
		t.Helper()
		if got, want := log(x), math.Log(x); math.Abs(got-want) > 5e-16*max(1, math.Abs(want)) {
			t.Fatalf("log(%v) is %v; want %v", x, got, want)
		}
	}
	for range 1_000_000 {
		try(1 - r.Float64())
		try(math.Ldexp(1+r.Float64(), r.IntN(400)-200))
	}
	for _, x := range []float64{1, 0x1p-53, 1 - 0x1p-53, 0.5, 2} {
		try(x)
	}
	if math.Abs(log(1)) > 3e-16 {
		t.Errorf("log(1) is %v", log(1))
	}
}
