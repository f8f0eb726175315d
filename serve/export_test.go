package serve

import "time"

// SetPatience is how long the server waits for clients that are slow to send.
func (s *Server) SetPatience(d time.Duration) { s.patience = d }

// APIPatterns are the routes that openapi.json describes.
func APIPatterns() []string {
	var all []string
	for _, r := range new(Server).apiRoutes() {
		all = append(all, r.pattern)
	}
	return all
}

// Follow reads a run of a directory, so many bytes of its records each time.
func Follow(dir, run string) (next func(most int64) (*Progress, error), err error) {
	s, err := openStore(dir)
	if err != nil {
		return nil, err
	}
	return (&follower{store: s, run: run}).follow, nil
}
