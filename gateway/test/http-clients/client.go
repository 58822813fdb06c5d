// Package main does with net/http what every client here does (../http-compared.test.ts), and says as JSON what it saw.
package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strings"
)

var base, token = os.Getenv("BASE"), os.Getenv("TOKEN")

// Of the connection, and of the moment.
var passing = map[string]bool{"Date": true, "Connection": true, "Keep-Alive": true}

func say(client *http.Client, method, path string, body io.Reader, headers ...string) []interface{} {
	request, err := http.NewRequest(method, base+path, body)
	if err != nil {
		return []interface{}{"no request"}
	}
	request.Header.Set("Authorization", "Bearer "+token)
	for at := 0; at+1 < len(headers); at += 2 {
		request.Header.Add(headers[at], headers[at+1])
	}
	answer, err := client.Do(request)
	if err != nil {
		return []interface{}{"no answer"}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	broken := ""
	if err != nil {
		broken = "broken off"
	}
	if len(text) > 20000 {
		text = []byte(fmt.Sprint(len(text), " bytes"))
	}
	names := []string{}
	for name, values := range answer.Header {
		if !passing[name] {
			names = append(names, name+": "+strings.Join(values, " | "))
		}
	}
	for name, values := range answer.Trailer {
		names = append(names, "trailer "+name+": "+strings.Join(values, " | "))
	}
	sort.Strings(names)
	return []interface{}{answer.StatusCode, names, answer.ContentLength, string(text), broken}
}

func main() {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: os.Getenv("HTTP2") != ""}
	client := &http.Client{Transport: transport}
	out := []interface{}{
		say(client, "GET", "/echo?q=1&q=2", nil, "X-Twice", "a", "X-Twice", "b"),
		say(client, "POST", "/echo", strings.NewReader("a=b"), "Content-Type", "application/x-www-form-urlencoded"),
		say(client, "PUT", "/echo", io.MultiReader(strings.NewReader("one "), strings.NewReader("two"))),
		say(client, "POST", "/echo", bytes.NewReader(make([]byte, 300000)), "Expect", "100-continue"),
		say(client, "DELETE", "/gone", nil),
		say(client, "HEAD", "/big", nil),
		say(client, "GET", "/big", nil),
		say(client, "GET", "/none", nil),
		say(client, "GET", "/fresh", nil, "If-None-Match", `"1"`),
		say(client, "GET", "/redirect", nil),
		say(client, "GET", "/gzip", nil),
		say(client, "GET", "/cookies", nil),
		say(client, "GET", "/pieces", nil),
		say(client, "GET", "/cut", nil),
	}
	json.NewEncoder(os.Stdout).Encode(out)
}
