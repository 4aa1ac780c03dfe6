package drf

// Metadata is the answer to OPTIONS: what the endpoint is called, what it can write and what it can read
// (DRF's SimpleMetadata for a view without a serializer of its own).
func Metadata(name, description string) Object {
	return Object{
		{"name", name},
		{"description", description},
		{"renders", []string{JSON.MediaType(), HTML.MediaType()}},
		{"parses", []string{jsonType, formType, multipartType}},
	}
}
