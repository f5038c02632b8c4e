//go:build !soak

package main

// kills of TestKill. With -tags soak there are more.
const kills = 3
