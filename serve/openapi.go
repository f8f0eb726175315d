package serve

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// document describes the API. It is written by hand; a test holds it to the routes and
// to what they answer.
//
//go:embed openapi.json
var document []byte

func (s *Server) getDocument(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(document) // whoever asked may have gone
	return nil
}

// An openAPI is what the page of the document shows of it.
type openAPI struct {
	Info struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description"`
	} `json:"info"`
	Paths map[string]struct {
		Get    *operation `json:"get"`
		Post   *operation `json:"post"`
		Delete *operation `json:"delete"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	Summary     string      `json:"summary"`
	Description string      `json:"description"`
	Parameters  []parameter `json:"parameters"`
	Responses   map[string]struct {
		Description string `json:"description"`
	} `json:"responses"`
}

type parameter struct {
	Ref         string `json:"$ref"`
	Name        string `json:"name"`
	In          string `json:"in"`
	Description string `json:"description"`
}

type schema struct {
	Description string                `json:"description"`
	Properties  map[string]schemaPart `json:"properties"`
}

type schemaPart struct {
	Ref         string          `json:"$ref"`
	Type        json.RawMessage `json:"type"`
	Description string          `json:"description"`
}

// A docView is the document for the page.
type docView struct {
	Title, Version, Description string
	Operations                  []docOperation
	Schemas                     []docSchema
}

type docOperation struct {
	Method, Path, Summary, Description string
	Parameters                         []parameter
	Responses                          []docPair
}

type docSchema struct {
	Name, Description string
	Fields            []docPair
}

type docPair struct{ Name, Type, Text string }

// documentation makes the page's view of the document.
func documentation() (*docView, error) {
	var d openAPI
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, err
	}
	v := &docView{Title: d.Info.Title, Version: d.Info.Version, Description: d.Info.Description}
	for _, path := range sortedKeys(d.Paths) {
		item := d.Paths[path]
		for _, m := range []struct {
			method string
			*operation
		}{{"GET", item.Get}, {"POST", item.Post}, {"DELETE", item.Delete}} {
			o := m.operation
			if o == nil {
				continue
			}
			x := docOperation{Method: m.method, Path: path, Summary: o.Summary, Description: o.Description}
			for _, p := range o.Parameters {
				if p.Ref == "" {
					x.Parameters = append(x.Parameters, p)
				}
			}
			for _, code := range sortedKeys(o.Responses) {
				text := o.Responses[code].Description
				if n, err := strconv.Atoi(code); err == nil && text == "" { // it refers to the one form of problems
					text = http.StatusText(n) + ": a Problem"
				}
				x.Responses = append(x.Responses, docPair{Name: code, Text: text})
			}
			v.Operations = append(v.Operations, x)
		}
	}
	for _, name := range sortedKeys(d.Components.Schemas) {
		sc := d.Components.Schemas[name]
		x := docSchema{Name: name, Description: sc.Description}
		for _, field := range sortedKeys(sc.Properties) {
			p := sc.Properties[field]
			kind := strings.Trim(string(p.Type), `"`)
			if p.Ref != "" {
				kind = p.Ref[strings.LastIndexByte(p.Ref, '/')+1:]
			}
			x.Fields = append(x.Fields, docPair{field, kind, p.Description})
		}
		v.Schemas = append(v.Schemas, x)
	}
	return v, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
