package webhook_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/webhook"
)

const longSecret = "0123456789abcdef0123456789abcdef"

// given are settings that pass, with more over them. A nil takes one out.
func given(more map[string]any) map[string]any {
	s := map[string]any{"url": "https://example.com/hooks/signal", "secret": longSecret}
	maps.Copy(s, more)
	return s
}

func TestSettingsHaveDefaults(t *testing.T) {
	got, err := webhook.ParseSettings(map[string]any{"url": "https://Example.com/hooks?a=1"}, integrations.Outbound{})
	if err != nil {
		t.Fatal(err)
	}
	want := webhook.Settings{
		URL: "https://example.com/hooks?a=1", Method: "POST", Body: "event",
		Timeout: 10 * time.Second, RateLimit: 100, Concurrency: 64, Batch: 1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("settings:\n got %+v\nwant %+v", got, want)
	}
}

func TestSettingsAreRead(t *testing.T) {
	got, err := webhook.ParseSettings(map[string]any{
		"url": "https://example.com:8443/a", "method": "PATCH", "body": "mapped", "secret": longSecret,
		"basic": map[string]any{"user": "me", "password": uint64(123456)}, "timeout": "1m", "rate_limit": 0.5, "concurrency": uint64(2), "batch": json.Number("100"),
		"headers": map[string]any{"x-api-key": "k1", "X-Tenant": uint64(7)},
	}, integrations.Outbound{})
	if err != nil {
		t.Fatal(err)
	}
	want := webhook.Settings{
		URL: "https://example.com:8443/a", Method: "PATCH", Body: "mapped", Secret: longSecret, User: "me", Password: "123456",
		Timeout: time.Minute, RateLimit: 0.5, Concurrency: 2, Batch: 100,
		Headers: map[string]webhook.Secret{"X-Api-Key": "k1", "X-Tenant": "7"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("settings:\n got %#v\nwant %#v", got, want)
	}
}

// faultCase is settings and all that is wrong with them, in lines; "" for
// nothing.
type faultCase struct {
	name string
	more map[string]any
	want string
}

func runFaults(t *testing.T, tests []faultCase, out integrations.Outbound) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := webhook.New(webhook.Options{}).Check(given(tt.more), out)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("%v:\n got %s\nwant %s", tt.more, got, tt.want)
			}
			if err == nil {
				return
			}
			for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
				if f, ok := errors.AsType[*integrations.SettingFault](e); !ok || f.Setting == "" || f.Message == "" {
					t.Errorf("%v is no fault of one setting", e)
				}
			}
		})
	}
}

func TestAddressFaults(t *testing.T) {
	const whole = "url: must be a whole address without spaces, such as https://example.com/hooks/signal"
	const closed = "url: must begin with https://; plain HTTP goes only where outbound.allow_http and outbound.allow_hosts open it, which is for tests"
	const private = "url: points to an address that is not public; only outbound.allow_hosts opens such a host, which is for tests"
	const host = "url: must have a host of letters, digits, dots and hyphens; write one in other letters in its ASCII form, which begins with xn--"
	const port = "url: must have a port from 1 to 65535, or none"
	url := func(s any) map[string]any { return map[string]any{"url": s} }
	runFaults(t, []faultCase{
		{"an address with a port and a query", url("https://example.com:8443/a?b=c"), ""},
		{"a public address by its number", url("https://93.184.215.14/hook"), ""},
		{"a name in its ASCII form", url("https://xn--caf-dma.example/hook"), ""},
		{"a path in other letters, which is encoded", url("https://example.com/café"), ""},
		{"none", url(nil), "url: is required: where events go, such as https://example.com/hooks/signal"},
		{"an empty one", url(""), "url: is required: where events go, such as https://example.com/hooks/signal"},
		{"a number", url(1), "url: must be text, got a number"},
		{"a host alone", url("example.com/hook"), whole},
		{"a path alone", url("/hook"), whole},
		{"no host", url("https:///hook"), whole},
		{"a mail address", url("mailto:me@example.com"), whole},
		{"a space", url("https://example.com/a b"), whole},
		{"a line end", url("https://example.com/a\r\nX: y"), whole},
		{"a broken escape", url("https://example.com/%zz"), whole},
		{"a reference that was not read", url("env:HOOK_URL"), "url: names a place that Signal did not read; write the address itself"},
		{"another scheme", url("ftp://example.com/a"), "url: must begin with https://"},
		{"plain HTTP", url("http://example.com/a"), closed},
		{"plain HTTP to a private address", url("http://10.0.0.1/a"), closed},
		{"a user and password", url("https://me:hush@example.com/a"), "url: must not carry a user or password; set basic: {user: …, password: …}"},
		{"a fragment", url("https://example.com/a#b"), "url: must not carry a fragment (#…), which is never sent"},
		{"an empty fragment", url("https://example.com/a#"), "url: must not carry a fragment (#…), which is never sent"},
		{"port 0", url("https://example.com:0/a"), port},
		{"port 65536", url("https://example.com:65536/a"), port},
		{"a colon without a port", url("https://example.com:/a"), port},
		{"a port of letters", url("https://example.com:http/a"), whole},
		{"a host in other letters", url("https://café.example/a"), host},
		{"a host with an empty label", url("https://example..com/a"), host},
		{"a host with a dot at the end", url("https://example.com./a"), host},
		{"an address that is written short", url("https://127.1/a"), host},
		{"an address as one number", url("https://2130706433/a"), host},
		{"an address in hexadecimal", url("https://0x7f.0.0.0x1/a"), host},
		{"a host that begins with a hyphen", url("https://-example.com/a"), host},
		{"a query in other letters", url("https://example.com/a?b=é"), "url: must have letters beyond ASCII behind the question mark percent-encoded, such as %C3%A9"},
		{"loopback", url("https://127.0.0.1/a"), private},
		{"loopback by IPv6", url("https://[::1]/a"), private},
		{"loopback in an IPv6 address", url("https://[::ffff:127.0.0.1]/a"), private},
		{"the metadata of clouds", url("https://169.254.169.254/latest"), private},
		{"localhost", url("https://LOCALHOST:8080/a"), private},
		{"a name below localhost", url("https://a.localhost/a"), private},
		{"too long", url("https://example.com/" + strings.Repeat("a", 2048)), "url: is longer than 2,048 characters, which receivers refuse"},
	}, integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"127.0.0.2"}})

	runFaults(t, []faultCase{
		{"plain HTTP where it is opened", url("http://127.0.0.1:8080/a"), ""},
		{"plain HTTP where it is opened, by name", url("http://LocalHost/a"), ""},
		{"HTTPS to a private host where it is opened", url("https://127.0.0.1/a"), ""},
		{"plain HTTP to another host", url("http://127.0.0.3/a"), closed},
	}, integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"127.0.0.1", "localhost"}})

	runFaults(t, []faultCase{
		{"a host that is open for HTTPS alone", url("https://10.0.0.1/a"), ""},
		{"the same in plain HTTP", url("http://10.0.0.1/a"), closed},
	}, integrations.Outbound{AllowHosts: []string{"10.0.0.1"}})
}

func TestSettingFaults(t *testing.T) {
	runFaults(t, []faultCase{
		{"another method", map[string]any{"method": "GET"}, "method: must be POST, PUT or PATCH"},
		{"a method in small letters", map[string]any{"method": "post"}, "method: must be POST, PUT or PATCH"},
		{"another body", map[string]any{"body": "raw"}, "body: must be event or mapped"},
		{"a secret that is a list", map[string]any{"secret": []any{}}, "secret: must be text, got a list"},
		{"an empty secret", map[string]any{"secret": ""}, "secret: is empty; write env:NAME or file:PATH, or leave it out"},
		{"a secret that was not read", map[string]any{"secret": "env:HOOK"}, "secret: names a place that Signal did not read; env:NAME and file:PATH work in signal.yaml, elsewhere write the value itself"},
		{"a token with the word", map[string]any{"bearer": "Bearer abc"}, "bearer: must be the token alone, without the word Bearer before it"},
		{"a token with a line end", map[string]any{"bearer": "abc\r\nX: y"}, "bearer: must be one token, without spaces, line ends and letters beyond ASCII"},
		{"basic as text", map[string]any{"basic": "me:hush"}, "basic: must be an object {user: …, password: …}, got text"},
		{"basic without a user", map[string]any{"basic": map[string]any{"password": "x"}}, "basic.user: is required beside basic: the name to sign in with"},
		{"basic with a colon in the user", map[string]any{"basic": map[string]any{"user": "a:b"}}, "basic.user: must not hold a colon or line ends, which basic authentication cannot carry"},
		{"basic with a user that is an object", map[string]any{"basic": map[string]any{"user": map[string]any{}}}, "basic.user: must be text, got an object"},
		{"basic with a line end in the password", map[string]any{"basic": map[string]any{"user": "a", "password": "b\n"}}, "basic.password: must not hold line ends and the like, which basic authentication cannot carry"},
		{"basic with a slip", map[string]any{"basic": map[string]any{"user": "a", "pasword": "b"}}, "basic.pasword: is not a setting of a webhook; did you mean basic.password?"},
		{"basic with a user alone, as some keep a key there", map[string]any{"basic": map[string]any{"user": "sk_1"}}, ""},
		{"a number of seconds without a unit", map[string]any{"timeout": 10}, "timeout: must be a time from 1 s to 60 s with its unit, such as 10s"},
		{"a timeout that is too short", map[string]any{"timeout": "900ms"}, "timeout: must be a time from 1 s to 60 s with its unit, such as 10s"},
		{"a timeout that is too long", map[string]any{"timeout": "61s"}, "timeout: must be a time from 1 s to 60 s with its unit, such as 10s"},
		{"a rate of nothing", map[string]any{"rate_limit": 0}, "rate_limit: must be a number above 0 and at most 100000"},
		{"a rate as text", map[string]any{"rate_limit": "fast"}, "rate_limit: must be a number above 0 and at most 100000"},
		{"half a connection", map[string]any{"concurrency": 0.5}, "concurrency: must be a whole number from 1 to 1024"},
		{"a batch that is too large", map[string]any{"batch": 101}, "batch: must be a whole number from 1 to 100"},
		{"a batch of nothing", map[string]any{"batch": 0}, "batch: must be a whole number from 1 to 100"},
		{"a slip", map[string]any{"sekret": "hush"}, "sekret: is not a setting of a webhook; did you mean secret?"},
		{"a name from elsewhere", map[string]any{"monitoring_domain": "x"}, "monitoring_domain: is not a setting of a webhook; there are url, method, body, headers, secret, bearer, basic, timeout, rate_limit, concurrency, batch"},
		{"two ways to sign in", map[string]any{"bearer": "a", "basic": map[string]any{"user": "b"}}, "basic: does not go together with bearer: a request has one header Authorization, so leave one of them out"},
		{"three ways to sign in", map[string]any{"bearer": "a", "basic": map[string]any{"user": "b"}, "headers": map[string]any{"authorization": "c"}},
			"basic: does not go together with bearer: a request has one header Authorization, so leave one of them out\n" +
				"headers.Authorization: does not go together with bearer: a request has one header Authorization, so leave one of them out"},
		{"several faults at once", map[string]any{"url": nil, "method": "GET", "batch": "x"},
			"method: must be POST, PUT or PATCH\nbatch: must be a whole number from 1 to 100\nurl: is required: where events go, such as https://example.com/hooks/signal"},
	}, integrations.Outbound{})
}

func TestHeaderFaults(t *testing.T) {
	one := func(name string, v any) map[string]any { return map[string]any{"headers": map[string]any{name: v}} }
	const badName = "headers: has a name that is none: letters, digits, hyphens and the like, without spaces and colons, such as X-Api-Key"
	many := map[string]any{}
	for i := range 33 {
		many[fmt.Sprint("X-", i)] = "v"
	}
	tests := []faultCase{
		{"a key", one("X-Api-Key", "abc"), ""},
		{"a value with spaces inside", one("X-Note", "a b\tc"), ""},
		{"a content type of one's own", one("content-type", "application/cloudevents+json"), ""},
		{"no object", map[string]any{"headers": "X: y"}, `headers: must be an object of names and values, such as {X-Api-Key: "env:HOOK_KEY"}, got text`},
		{"too many", map[string]any{"headers": many}, "headers: there are 33 of them, at most 32 fit"},
		{"a name with a colon", one("X:Y", "a"), badName},
		{"a name with a line end", one("X\r\nY", "a"), badName},
		{"a name with a space", one("X Y", "a"), badName},
		{"a name in other letters", one("X-Ключ", "a"), badName},
		{"an empty name", one("", "a"), badName},
		{"a value with a line end", one("X-A", "a\r\nX-B: b"), "headers.X-A: must be one line of ASCII, since a header holds nothing else"},
		{"a value with a line feed alone", one("X-A", "a\nb"), "headers.X-A: must be one line of ASCII, since a header holds nothing else"},
		{"a value in other letters", one("X-A", "é"), "headers.X-A: must be one line of ASCII, since a header holds nothing else"},
		{"a value with a space at the end", one("X-A", "a "), "headers.X-A: has spaces around it, which do not arrive; take them out"},
		{"a value that is too long", one("X-A", strings.Repeat("a", 4097)), "headers.X-A: is longer than 4,096 bytes, which receivers refuse"},
		{"a value that is true", one("X-A", true), "headers.X-A: must be text, got true or false"},
		{"no value", one("X-A", nil), "headers.X-A: has no value; write one, or leave the header out"},
		{"a value that was not read", one("X-A", "file:/run/key"), "headers.X-A: names a place that Signal did not read; env:NAME and file:PATH work in signal.yaml, elsewhere write the value itself"},
		{"a name twice", map[string]any{"headers": map[string]any{"X-A": "a", "x-a": "b"}}, "headers.x-a: is there twice: letters large or small make no difference in a header's name"},
	}
	for _, name := range []string{"X-Signal-Signature", "x-signal-timestamp", "X-Signal-Message-Id", "X-Signal-Anything"} {
		tests = append(tests, faultCase{"Signal's own " + name, one(name, "a"), "headers." + name + ": is Signal's own: headers that begin with X-Signal- are written for each request"})
	}
	runFaults(t, tests, integrations.Outbound{})
}

// Every header that belongs to a connection, or that Signal counts itself, is
// refused however it is written.
func TestHeadersThatCannotBeSet(t *testing.T) {
	for _, name := range []string{
		"Host", "Content-Length", "Content-Encoding", "Accept-Encoding", "Expect", "Connection", "Keep-Alive", "Proxy-Connection",
		"Transfer-Encoding", "TE", "Trailer", "Upgrade", "HTTP2-Settings", "Proxy-Authenticate", "Proxy-Authorization",
	} {
		for _, written := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			_, err := webhook.ParseSettings(given(map[string]any{"headers": map[string]any{written: "a"}}), integrations.Outbound{})
			if err == nil || !strings.HasPrefix(err.Error(), "headers."+written+": cannot be set: it ") {
				t.Errorf("%s: %v, want that it cannot be set", written, err)
			}
		}
	}
}

// A fault must be fit for a log line.
func TestFaultsRepeatNoValue(t *testing.T) {
	const hush = "hush-hush"
	for name, more := range map[string]map[string]any{
		"an address with a password":  {"url": "https://me:" + hush + "@example.com/"},
		"an address that is none":     {"url": "hush-hush://%zz"},
		"a token in two words":        {"bearer": hush + " " + hush},
		"a secret that was not read":  {"secret": "env:" + hush},
		"a header with a line end":    {"headers": map[string]any{"X-A": hush + "\n"}},
		"a password with a line end":  {"basic": map[string]any{"user": "a", "password": hush + "\n"}},
		"a credential that is text":   {"basic": "me:" + hush},
		"a method that is a password": {"method": hush},
		"a timeout that is a secret":  {"timeout": hush},
	} {
		_, err := webhook.ParseSettings(given(more), integrations.Outbound{})
		if err == nil || strings.Contains(err.Error(), hush) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecretsPrintMasked(t *testing.T) {
	s, err := webhook.ParseSettings(given(map[string]any{
		"secret": "hush-1-hush-hush-hush", "basic": map[string]any{"user": "me", "password": "hush-2"}, "headers": map[string]any{"X-Key": "hush-3"},
	}), integrations.Outbound{})
	if err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	y, err := yaml.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v", s), fmt.Sprintf("%#v", s), fmt.Sprintf("%q %x %d", s.Secret, s.Secret, s.Secret), string(j), string(y)} {
		if strings.Contains(text, "hush") || strings.Contains(text, fmt.Sprintf("%x", "hush")) {
			t.Errorf("a secret shows: %s", text)
		}
	}
}

func TestWarnings(t *testing.T) {
	const unsigned = "The receiver cannot tell Signal's requests from anybody else's. Set secret, and verify the signature there."
	const short = "The secret is short enough to be guessed. Use 32 characters or more, such as what openssl rand -hex 32 gives."
	const plain = "Events travel in plain HTTP, which anybody on the way can read. Use https:// outside of tests."
	tests := []struct {
		name string
		more map[string]any
		want []string
	}{
		{"a signed webhook over HTTPS", nil, nil},
		{"no secret", map[string]any{"secret": nil}, []string{unsigned}},
		{"a short secret", map[string]any{"secret": "fifteen letters"}, []string{short}},
		{"plain HTTP", map[string]any{"url": "http://127.0.0.1/"}, []string{plain}},
	}
	for _, tt := range tests {
		c, err := webhook.New(webhook.Options{}).Check(given(tt.more), integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"127.0.0.1"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.(integrations.Warner).Warnings(); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestPaceOfAConnection(t *testing.T) {
	c, err := webhook.New(webhook.Options{}).Check(given(map[string]any{"rate_limit": 7.5, "concurrency": 3}), integrations.Outbound{})
	if err != nil {
		t.Fatal(err)
	}
	if rate, n := c.(integrations.Paced).Rate(); rate != 7.5 || n != 3 {
		t.Errorf("rate %v, concurrency %d", rate, n)
	}
	want := []time.Duration{time.Second, 5 * time.Second, 25 * time.Second}
	if got := c.(*webhook.Connection).Pauses(); !reflect.DeepEqual(got, want) {
		t.Errorf("pauses %v, want %v", got, want)
	}
}

// Every setting that holds a secret is one that Secrets names, so that what
// shows settings can mask them.
func TestSecretsAreNamed(t *testing.T) {
	want := []string{"secret", "bearer", "basic.password", "headers.*"}
	if got := webhook.New(webhook.Options{}).Secrets(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
