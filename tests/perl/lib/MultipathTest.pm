package MultipathTest;

# Helpers for tests: paths of the source tree, stubs for programs, running the command line, a clock, and a
# double of PVE::Cluster.

use v5.36;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use JSON::PP ();

our @EXPORT_OK = qw($root $replay slurp spew from_json stub cli copy_tree warnings_of);

our $root = abs_path(dirname(__FILE__) . '/../../..');
our $replay = "$root/fixtures/replay";

sub slurp($path) {
    open(my $fh, '<:raw', $path) or die "cannot read '$path' - $!\n";
    return do { local $/ = undef; <$fh> // '' };
}

sub spew($path, $text) {
    open(my $fh, '>:raw', $path) or die "cannot write '$path' - $!\n";
    print $fh $text;
    close($fh) or die "cannot write '$path' - $!\n";
    return $path;
}

sub from_json($text) {
    return JSON::PP->new()->utf8()->decode($text);
}

my $dir = tempdir(CLEANUP => 1);
my $stubs = 0;

# A program that stands in for another one; without a text, one that does not exist.
sub stub($text = undef) {
    my $path = "$dir/stub-" . ++$stubs;
    return $path if !defined($text);
    spew($path, "#!/bin/sh\n$text\n");
    chmod(0755, $path);
    return $path;
}

# What pvemultipath reads from its standard input.
our $stdin = '/dev/null';

# Runs pvemultipath without a terminal: { code, out, err }, out and err as bytes.
sub cli($args, %env) {
    my ($out, $err) = ("$dir/out", "$dir/err");
    my $pid = fork() // die "cannot fork - $!\n";
    if ($pid == 0) {
        open(STDIN, '<', $stdin);
        open(STDOUT, '>', $out);
        open(STDERR, '>', $err);
        delete @ENV{qw(COLUMNS NO_COLOR)};
        %ENV = (%ENV, LC_ALL => 'C.UTF-8', %env);
        exec($^X, "$root/perl/bin/pvemultipath", @$args);
        die "cannot execute $^X - $!\n";
    }
    waitpid($pid, 0);
    return { code => $? >> 8, signal => $? & 127, out => slurp($out), err => slurp($err) };
}

# A copy of a replay folder that a test may change.
sub copy_tree($name) {
    my $copy = tempdir(CLEANUP => 1);
    system('cp', '-a', "$replay/$name", "$copy/") == 0 or die "cannot copy $name\n";
    return "$copy/$name";
}

sub warnings_of($code) {
    my @warnings;
    local $SIG{__WARN__} = sub($text) { push @warnings, $text };
    my $res = $code->();
    return ($res, @warnings);
}

package MultipathTest::Clock;

# A clock for time-outs that can be put forward.

use Time::HiRes ();

our $elapsed = 0;

sub install() {
    my $clock_gettime = \&Time::HiRes::clock_gettime;
    no warnings 'redefine';
    *Time::HiRes::clock_gettime = sub : prototype(;$) ($clock) {
        return $clock_gettime->($clock) + $elapsed;
    };
    return;
}

# From now on, sleeping puts it forward, and calls the code.
sub sleep_by($code = sub() { }) {
    no warnings 'redefine';
    *Time::HiRes::sleep = sub : prototype(;@) ($seconds) {
        $elapsed += $seconds;
        return $code->();
    };
    return;
}

package MultipathTest::Cluster;

# Keeps what is broadcast.

our @sent;
our $fail;
# As the real one does it where pmxcfs does not run.
our $warn;
# What the nodes have published, { key => { node => text } }.
our %kv;

sub install() {
    no strict 'refs';
    no warnings 'once';
    $INC{'PVE/Cluster.pm'} = __FILE__;
    *{'PVE::Cluster::broadcast_node_kv'} = sub($key, $value) {
        die $fail if defined($fail);
        return warn $warn if defined($warn);
        push @sent, [$key, $value];
    };
    *{'PVE::Cluster::get_node_kv'} = sub($key) { return $kv{$key} // {} };
    *{'PVE::Cluster::get_nodelist'} = sub() { return ['pve1', 'pve2'] };
}

sub take_all() {
    my @res = @sent;
    @sent = ();
    return @res;
}

# The same without what uses LUNs, and which could be added.
sub take() {
    return grep { $_->[0] !~ m/\Amultipath-(?:uses|candidates)/ } take_all();
}

1;
