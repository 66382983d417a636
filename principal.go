package tidemark

import "time"

// Principal is who a token says you are. Without authentication it is the zero
// one. It must not be changed once it was handed over.
type Principal struct {
	ID      string         // the token's subject; "" without authentication
	Claims  map[string]any // what the token says, as JSON decodes it; rules see them as :claims
	Expires time.Time      // end of the token's life, by the server's clock; zero: never
	Token   string         // the token's own name (jti), "" when it has none
}
