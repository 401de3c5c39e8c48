// An etcd server from its Go module, so that nothing but the Go module mirror is needed to have one.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
