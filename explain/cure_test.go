package explain

import (
	"strings"
	"testing"

	"forkbench/internal/calltree"
)

// TestCureByHolder: what was seen to give a connection up is what is printed, by a
// module's name or after the class that holds it.
func TestCureByHolder(t *testing.T) {
	for name, c := range map[string]struct {
		undone []string
		want   string // as a hook, and what follows
	}{
		"a module's engine": {
			[]string{"socket:[1]: app.engine.dispose()"},
			"before=lambda: (session.remove(), app.engine.dispose()))`. session.remove() gives",
		},
		"SQLAlchemy's engine": {
			[]string{"socket:[1]: dispose() of the sqlalchemy.engine.base.Engine"},
			"before=lambda: (session.remove(), engine.dispose()))`. session.remove() gives",
		},
		"Redis": {
			[]string{"socket:[1]: close() of the redis._parsers.socket.SocketBuffer, disconnect() of the redis.connection.ConnectionPool, disconnect() of the redis.connection.Connection"},
			"before=lambda: connection_pool.disconnect())`. There, connection_pool is the redis.connection.ConnectionPool.",
		},
		"two libraries": {
			[]string{"socket:[1], socket:[2]: django.db.connections.close_all(), disconnect() of the redis.connection.ConnectionPool"},
			"before=lambda: (django.db.connections.close_all(), connection_pool.disconnect()))`.",
		},
		"psycopg2": {
			[]string{"socket:[1]: close() of the psycopg2.extensions.connection"},
			"before=lambda: connection.close())`. There, connection is the psycopg2.extensions.connection.",
		},
		"two drivers": {
			[]string{"socket:[1]: close() of the psycopg2.extensions.connection", "socket:[2]: close() of the pymysql.connections.Connection"},
			"before=lambda: (psycopg2_connection.close(), pymysql_connection.close()))`. There, psycopg2_connection is the psycopg2.extensions.connection, " +
				"pymysql_connection is the pymysql.connections.Connection.",
		},
		"a module of that name": {
			[]string{"socket:[1]: connection.pool.disconnect()", "socket:[2]: close() of the psycopg2.extensions.connection"},
			"`import os, connection; os.register_at_fork(before=lambda: (connection.pool.disconnect(), psycopg2_connection.close()))`. There, psycopg2_connection is",
		},
		"another session": {
			[]string{"socket:[1]: app.engine.dispose()", "socket:[2]: close() of the requests.Session"},
			"`import os, app; os.register_at_fork(before=lambda: (session.remove(), app.engine.dispose(), requests_session.close()))`. session.remove() gives",
		},
		"an engine by its class and by its name": {
			[]string{"socket:[1]: dispose() of the sqlalchemy.engine.base.Engine", "socket:[2]: app.models.db.engine.dispose()"},
			"`import os, app; os.register_at_fork(before=lambda: (session.remove(), app.models.db.engine.dispose()))`. session.remove() gives",
		},
		"that engine, and Redis": {
			[]string{"socket:[1], socket:[2]: dispose() of the sqlalchemy.engine.base.Engine, disconnect() of the redis.connection.ConnectionPool", "socket:[3]: app.engine.dispose()"},
			"before=lambda: (session.remove(), connection_pool.disconnect(), app.engine.dispose()))`. session.remove() gives",
		},
		"two engines, one with a name": {
			[]string{"socket:[1], socket:[2]: dispose() of the sqlalchemy.engine.base.Engine", "socket:[3]: app.engine.dispose()"},
			"before=lambda: (session.remove(), engine.dispose(), app.engine.dispose()))`. session.remove() gives",
		},
		"two engines of one look": {
			[]string{"socket:[1], socket:[2]: app.engine.dispose(), dispose() of the sqlalchemy.engine.base.Engine"},
			"before=lambda: (session.remove(), app.engine.dispose(), engine.dispose()))`. session.remove() gives",
		},
		"a keyword": {
			[]string{"socket:[1]: close() of the app.Lambda", "socket:[2]: close() of the other.<locals>.Pool[int]"},
			"before=lambda: (the_lambda.close(), pool_int.close()))`.",
		},
		"a descriptor":    {[]string{"socket:[1]: its descriptor, which is closed"}, "before=lambda: connection.close())`."},
		"nothing is said": {nil, "before=lambda: connection.close())`."},
	} {
		t.Run(name, func(t *testing.T) {
			r := &run{connected: true, oneJob: lesson{undone: c.undone}}
			got := r.cure()
			if !strings.Contains(got, c.want) {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			if strings.Contains(got, "session") != strings.Contains(c.want, "session") || strings.HasSuffix(got, " ") {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestOpener: where nothing was given up, those who opened it tell how it can be.
func TestOpener(t *testing.T) {
	node := func(name string, below ...*calltree.Node) *calltree.Node {
		return &calltree.Node{Function: calltree.Function{Kind: calltree.Python, Name: name}, Children: below}
	}
	imported := &calltree.Node{Function: calltree.Function{Kind: calltree.Import, Name: "sqlalchemy.orm"}}
	const connection = "leaves a connection open to ('127.0.0.1', 6379)"
	for name, c := range map[string]struct {
		path   []*calltree.Node
		hazard string
		want   string
	}{
		"a pool's driver":       {[]*calltree.Node{node("app.job"), node("sqlalchemy.pool.base.Pool._create_connection", node("psycopg2.connect"))}, connection, "engine.dispose()"},
		"a driver, below":       {[]*calltree.Node{node("app.job"), node("sqlalchemy.engine.Engine.connect"), node("psycopg2.connect")}, connection, "engine.dispose()"},
		"a driver":              {[]*calltree.Node{node("app.job"), node("psycopg2.connect")}, connection, "connection.close()"},
		"Redis":                 {[]*calltree.Node{node("app.job"), node("app.Config.__init__", imported, node("redis.client.Redis.get"))}, connection, "connection_pool.disconnect()"},
		"an SQLite database":    {[]*calltree.Node{node("app.job"), node("app.load")}, "leaves the file /tmp/a.db open (sqlite3.connect)", "connection.close()"},
		"SQLite, by SQLAlchemy": {[]*calltree.Node{node("app.job"), node("sqlalchemy.pool.base.Pool.connect")}, "leaves the file /tmp/a.db open (sqlite3.connect)", "engine.dispose()"},
		"a file":                {[]*calltree.Node{node("app.job"), node("app.load")}, "leaves the file /tmp/a.log open", "file.close()"},
		"a thread":              {[]*calltree.Node{node("app.job"), node("redis.client.PubSub.run_in_thread")}, "starts a thread", "stop it"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := opener(&found{finding: finding{Paths: [][]*calltree.Node{c.path}}}, c.hazard); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
