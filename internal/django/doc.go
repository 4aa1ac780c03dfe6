// Package django holds Django's formats as pure functions: CSRF secrets and
// masks, session keys, the session auth hash, signed values, session data,
// password reset tokens, the datetimes and flags of its SQLite tables, and
// hosts and URLs as Django and Python read them.
// It keeps no state and knows neither HTTP nor storage; what another room
// shares with a Django goes through here.
package django
