//go:build !soak

package main

import "time"

// kills of TestKill. With -tags soak there are more.
const kills = 3

// badDayVisitors are those of TestABadDay, badDayLasts how long it may take.
const (
	badDayVisitors = 40
	badDayLasts    = time.Minute
)
