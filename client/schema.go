package client

import (
	"context"
	"encoding/json"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// SchemaOf fetches the schema that a space has now, without making a copy of
// it. Of the options only HTTP and Token count.
func SchemaOf(ctx context.Context, address string, o Options) (*tidemark.Schema, error) {
	a, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	c := o.withDefaults().HTTP
	text, err := o.Token.ask(ctx)
	if err != nil {
		return nil, err
	}
	info, err := askAbout(ctx, c, a, bearer(text))
	if err != nil {
		return nil, err
	}
	var body json.RawMessage
	if err := getJSON(ctx, c, a.at("schema", info.Schema), bearer(text), &body); err != nil {
		return nil, err
	}
	return schema.Decode(body)
}
