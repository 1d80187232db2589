package main

func (r *results) page() []byte      { return nil }
func (r *results) chart() []byte     { return nil }
func (r *results) tables() string    { return "" }
func (r *results) goalTable() string { return "" }
