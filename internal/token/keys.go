package token

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
)

// ParseKeys reads a set of public keys (RFC 7517).
func ParseKeys(text []byte) (Keys, error) {
	f, err := keyfunc.NewJWKSetJSON(json.RawMessage(text))
	if err == nil {
		var all []jwkset.JWK
		if all, err = f.Storage().KeyReadAll(context.Background()); err == nil && len(all) == 0 {
			err = errors.New("there is no key in it")
		}
	}
	if err != nil {
		return nil, usage("the set of keys cannot be read: "+err.Error(), `it is JSON like {"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"..."}]}`)
	}
	return KeysOf(f.Storage()), nil
}

// KeysOf takes keys from a storage, which may fetch them. A token names its key
// (kid); one that names none is tried with all that are for signatures.
func KeysOf(s jwkset.Storage) Keys {
	return func(ctx context.Context, header map[string]any) ([]any, error) {
		kid, named := header[jwkset.HeaderKID]
		if !named {
			all, err := s.KeyReadAll(ctx)
			return public(all, header), err
		}
		id, ok := kid.(string)
		if !ok || len(id) > MaxSubject {
			return nil, errors.New("the header's kid is no name")
		}
		k, err := s.KeyRead(ctx, id)
		if err != nil {
			return nil, err
		}
		return public([]jwkset.JWK{k}, header), nil
	}
}

// public lists the public keys of those that are for signatures, and for the
// algorithm of the header where they say so.
func public(all []jwkset.JWK, header map[string]any) (keys []any) {
	for _, k := range all {
		m := k.Marshal()
		if m.USE != "" && m.USE != jwkset.UseSig || m.ALG != "" && m.ALG.String() != header["alg"] {
			continue
		}
		key := k.Key()
		if private, is := key.(interface{ Public() crypto.PublicKey }); is {
			key = private.Public()
		}
		keys = append(keys, key)
	}
	return keys
}
