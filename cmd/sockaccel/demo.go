package main

import "github.com/urfave/cli/v2"

func demoCommand(e env) *cli.Command { return &cli.Command{Name: "demo"} }
func loadCommand(e env) *cli.Command { return &cli.Command{Name: "internal-load", Hidden: true} }
