package plots

import (
	"regexp"
	"testing"
)

// What was simulated has replications, and says so in every word of a picture.
func TestWordsOfASimulation(t *testing.T) {
	a := threeModels()
	a.Summary.Spec.Simulated = true
	rounds := regexp.MustCompile(`\brounds?\b`)
	for _, p := range All() {
		pg := p.picture(a).layOut()
		texts := append(append(pg.caption, pg.conditions...), pg.notes...)
		for _, row := range pg.legend {
			for _, k := range row {
				texts = append(texts, k.name)
			}
		}
		for _, text := range texts {
			if rounds.MatchString(text) {
				t.Errorf("%s: %q", p.Name, text)
			}
		}
	}
}
