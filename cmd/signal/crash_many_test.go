//go:build soak

package main

import "time"

// kills of TestKill.
const kills = 10

// badDayVisitors are those of TestABadDay, badDayLasts how long it may take.
const (
	badDayVisitors = 1000
	badDayLasts    = 5 * time.Minute
)
