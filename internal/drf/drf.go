// Package drf speaks the dialect of Django REST framework as pure functions: which renderer a request
// asked for (Negotiate), what its body holds (Body), whether that satisfies the fields of a serializer
// (Serializer.Run), and how answers and errors are written (Render, Error, Errors, Metadata).
//
// A request meets it in that order. Negotiate picks JSON or HTML from the Accept header and ?format=.
// Body turns the bytes into Data by their Content-Type. A Serializer, declared once as a table of fields,
// checks Data and gives Values, or Errors in the model's words and order. Render writes what is sent back,
// byte for byte as the model does.
//
// The model is Django 5.2 with Django REST framework 3.16; text rules (what is a space, a letter, how a
// float is written) are Python's. Nothing here knows HTTP handlers, users or stores.
package drf
