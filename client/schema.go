package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// SchemaOf fetches the schema that a space has now, without making a copy of
// it. A nil HTTP client is http.DefaultClient.
func SchemaOf(ctx context.Context, address string, c *http.Client) (*tidemark.Schema, error) {
	a, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if c == nil {
		c = http.DefaultClient
	}
	var info struct {
		Schema string `json:"schema"`
	}
	if err := getJSON(ctx, c, a.at(), &info); err != nil {
		return nil, err
	}
	var body json.RawMessage
	if err := getJSON(ctx, c, a.at("schema", info.Schema), &body); err != nil {
		return nil, err
	}
	return schema.Decode(body)
}
