// Package runner makes one comparison: the same jobs through every model, round
// by round in turn, on one machine. It writes the raw records and reduces them
// to a summary.
package runner
