#!/usr/bin/perl

# Builds of the Makefile: concurrent builds in one folder, and their profile. cargo and rustc are stubs; the
# stub of cargo fails if two builds run at once.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use MultipathTest qw($root slurp spew);

plan skip_all => 'there is no make' if system('make --version >/dev/null 2>&1');
plan skip_all => 'there is no flock' if system('flock --version >/dev/null 2>&1');

my $bin = tempdir(CLEANUP => 1);

my sub program($name, $text) {
    chmod(0755, spew("$bin/$name", "#!/bin/sh\nset -eu\n$text"));
    return;
}

program('rustc', "echo 'rustc 1.85.0'\n");
program('cargo', <<'SH');
profile=
for arg; do
    [ -z "${is_profile:-}" ] || profile=$arg
    is_profile=
    [ "$arg" != --profile ] || is_profile=1
done
case $1 in
--version) echo 'cargo 1.85.0'; exit ;;
metadata) ;;
build) ;;
*) exit 1 ;;
esac
# as cargo writes its lock file: not at once
lock=perl/binding/Cargo.lock
[ -s "$lock" ] || { echo "cargo $1: no lock file" >&2; exit 1; }
mkdir at-work 2>/dev/null || { echo "cargo $1: another one is at work" >&2; exit 1; }
text=$(cat "$lock")
: >"$lock"
sleep 0.3
echo "$text" >"$lock"
if [ "$1" = metadata ]; then
    printf '{"packages":[{"name":"perlmod","version":"0.14.0","source":null,"manifest_path":"%s"}]}\n' \
        "$PWD/perl/stand-in/perlmod/Cargo.toml"
else
    dir=target/binding/stand-in/$([ "$profile" = dev ] && echo debug || echo "$profile")
    mkdir -p "$dir"
    echo "$profile" >"$dir/libpve_multipath_perl.so"
fi
rmdir at-work
SH

# A folder with what the Makefile needs.
my sub tree() {
    my $tree = tempdir(CLEANUP => 1);
    system('mkdir', '-p', map { "$tree/$_" } qw(tests/tools perl/binding perl/stand-in/perlmod)) == 0
        or die "no folders\n";
    system('cp', '-a', (map { "$root/$_" } qw(Makefile Cargo.toml Cargo.lock)), $tree) == 0 or die "no copy\n";
    system('cp', '-a', "$root/perl/binding/cargo", "$root/perl/binding/which-perlmod", "$tree/perl/binding/") == 0 or die "no copy\n";
    system('cp', '-a', "$root/tests/tools/check-deps", "$tree/tests/tools/") == 0 or die "no copy\n";
    return $tree;
}

# Starts make there, gives what waits for it.
my sub start($tree, @args) {
    my $out = spew("$tree/out-" . join('-', @args, int(rand(1e9))), '');
    my $pid = fork() // die "cannot fork - $!\n";
    if ($pid == 0) {
        delete @ENV{ grep { m/^(?:MAKE|MFLAGS|PERLMOD|PROFILE|DEPS|TESTS)/ } keys %ENV };
        $ENV{PATH} = "$bin:$ENV{PATH}";
        chdir($tree) or die "no folder - $!\n";
        open(STDOUT, '>', $out) or die "no output - $!\n";
        open(STDERR, '>&', \*STDOUT) or die "no output - $!\n";
        exec('make', 'DEPS=check', @args);
        die "cannot execute make - $!\n";
    }
    return sub() {
        waitpid($pid, 0);
        return ($?, slurp($out));
    };
}

my sub built($tree) {
    return slurp("$tree/target/perl/auto/libpve_multipath_perl.so") =~ s/\n//r;
}

for my $round (1 .. 3) {
    my $tree = tree();
    my @running = map { start($tree, @$_) } ['build'], ['-s', 'env'], ['build'], ['-s', 'env'];
    my $what = "round $round: builds at the same time";
    for my $wait (@running) {
        my ($code, $out) = $wait->();
        is($code, 0, $what) or diag($out);
    }
    ok(-s "$tree/perl/binding/Cargo.lock", 'the lock file is whole');
}

my $tree = tree();
my ($code, $out) = start($tree, '-s', 'env')->();
is($code, 0, 'make env');
is(built($tree), 'dev', 'builds what is built soon');
like($out, qr!^export PATH="\Q$tree\E/perl/bin:\$PATH"$!m, 'and says where it is');
start($tree, 'build')->();
is(built($tree), 'release', 'make build builds what is fast');
start($tree, '-s', 'env')->();
is(built($tree), 'release', 'which make env then keeps up to date');
start($tree, '-s', 'env', 'PROFILE=dev')->();
is(built($tree), 'dev', 'unless it is told otherwise');

done_testing();
