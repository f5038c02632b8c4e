package process

import "strings"

// bot signs in a user agent, in lower case, and what a marketer reads. The list
// holds what names itself; it does not guess.
var botSigns = []struct{ sign, name string }{
	{"headlesschrome", "headless browser"},
	{"phantomjs", "headless browser"},
	{"puppeteer", "headless browser"},
	{"playwright", "headless browser"},
	{"lighthouse", "page speed test"},
	{"pagespeed", "page speed test"},
	{"gtmetrix", "page speed test"},
	{"pingdom", "uptime check"},
	{"uptimerobot", "uptime check"},
	{"statuscake", "uptime check"},
	{"facebookexternalhit", "link preview"},
	{"slackbot", "link preview"},
	{"whatsapp/", "link preview"},
	{"crawler", "crawler"},
	{"spider", "crawler"},
	{"slurp", "crawler"},
	{"bot/", "crawler"},
	{"bot;", "crawler"},
	{"bot ", "crawler"},
	{"bot)", "crawler"},
}

// botName says what kind of machine a user agent names, or "".
func botName(agent string) string {
	agent = strings.ToLower(agent)
	for _, s := range botSigns {
		if strings.Contains(agent, s.sign) {
			return s.name
		}
	}
	if strings.HasSuffix(agent, "bot") {
		return "crawler"
	}
	return ""
}
