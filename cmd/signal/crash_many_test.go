//go:build soak

package main

// kills of TestKill.
const kills = 10
