package predict

// mser is the number of leading batches to cut off, by the marginal standard
// error rule of White (1997): the cut after which the mean of the rest has the
// least estimated standard error,
//
//	argmin over d of  sum over i >= d of (x[i] - mean of the rest)² / (k-d)²
//
// over means of batches of m values (MSER-m; m is 5 where that keeps the number
// of batches within bounds). A cut in the second half says that the warm-up was
// not over when the run was: ok is false, and the cut is half.
func mser(batches []float64) (cut int, ok bool) {
	k := len(batches)
	best, bestAt := 0.0, -1
	// From the end, the sums of the rest grow by one value at a time (Welford).
	mean, squares := 0.0, 0.0
	for d := k - 1; d >= 0; d-- {
		n := float64(k - d)
		delta := batches[d] - mean
		mean += delta / n
		squares += delta * (batches[d] - mean)
		// The last few batches have next to no variance by chance alone (White,
		// Cobb and Spratt 2000 leave them out, too).
		if k-d < leastRest {
			continue
		}
		if v := squares / (n * n); bestAt < 0 || v <= best {
			best, bestAt = v, d
		}
	}
	if bestAt < 0 {
		return 0, false
	}
	if bestAt > k/2 {
		return k / 2, false
	}
	return bestAt, true
}

// leastRest is how many batches a cut leaves at least.
const leastRest = 5
