package MachineTest;

# What the tests in the guest need: its LUNs, the paths to them, and what the kernel and multipathd say.

use v5.36;

use Exporter qw(import);
use JSON::PP ();
use Test::More;
use Time::HiRes qw(CLOCK_MONOTONIC);

our @EXPORT_OK = qw(
    $san_a $san_b $san_c $san_d $san_e
    run must slurp spew eventually boots lose_power
    paths_of set_path remove_path rescan
    kernel_maps kernel_paths daemon_maps our_maps wwids
    files_below install_package configure apply
);

# The LUNs, from ../boot. The first has four paths, the others two; half of them through each HBA.
our ($san_a, $san_b, $san_c, $san_d, $san_e) = map { "35000c50000000${_}01" } qw(a b c d e);

# The slowest thing to wait for: a path's checker, which looks every 20 seconds while all is well.
my $patience = 60;

my $boots_file = '/var/local/boots';

sub slurp($path) {
    open(my $fh, '<:raw', $path) or die "cannot read '$path' - $!\n";
    return do { local $/ = undef; <$fh> // '' };
}

sub spew($path, $text) {
    open(my $fh, '>:raw', $path) or die "cannot write '$path' - $!\n";
    print $fh $text;
    close($fh) or die "cannot write '$path' - $!\n";
    return;
}

# The console's log tells what was done, among the kernel's and the daemons' messages.
my sub trace($text) {
    open(my $fh, '>:raw', '/dev/console') or return;
    print $fh map { "test: $_\r\n" } split(/\n/, $text);
    return;
}

# Runs a program: { code, out, err }.
sub run(@command) {
    my $dir = '/run/machine-test';
    mkdir($dir);
    trace("\$ @command");
    my $pid = fork() // die "cannot fork - $!\n";
    if ($pid == 0) {
        open(STDIN, '<', '/dev/null');
        open(STDOUT, '>', "$dir/out");
        open(STDERR, '>', "$dir/err");
        exec(@command);
        die "cannot execute $command[0] - $!\n";
    }
    waitpid($pid, 0);
    my $res = { code => $? & 127 ? "signal " . ($? & 127) : $? >> 8 };
    $res->{$_} = slurp("$dir/$_") for qw(out err);
    trace("$res->{out}$res->{err}" . ($res->{code} ? "($res->{code})" : ''));
    return $res;
}

# Runs a program that has to succeed, for what it prints.
sub must(@command) {
    my $res = run(@command);
    die "'@command' failed ($res->{code}): $res->{err}$res->{out}\n" if $res->{code};
    return $res->{out};
}

# Tests that $code returns what is expected, now or before patience ends: kernel, udev and multipathd take
# their time.
sub eventually($code, $expected, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $json = JSON::PP->new()->canonical()->allow_nonref();
    my $wanted = $json->encode($expected);
    my $deadline = Time::HiRes::clock_gettime(CLOCK_MONOTONIC) + $patience;
    my $got;
    while (1) {
        $got = $code->();
        last
            if $json->encode($got) eq $wanted
            || Time::HiRes::clock_gettime(CLOCK_MONOTONIC) > $deadline;
        Time::HiRes::sleep(0.5);
    }
    return is_deeply($got, $expected, $what);
}

# How often the machine has booted before.
sub boots() {
    return -e $boots_file ? (split(/ /, slurp($boots_file)))[0] : 0;
}

# The machine loses its power, and with it whatever is not yet on its disk. Then it boots, and runs the
# same test again.
sub lose_power() {
    my $boots = boots() + 1;
    my $tests = Test::More->builder()->current_test();
    spew($boots_file, "$boots $tests");
    must('sync', $boots_file);
    trace('power loss');
    spew('/proc/sysrq-trigger', 'b');
    sleep(60);
    die "the machine does not reboot\n";
}

# The tests are counted on.
if (-e $boots_file) {
    my (undef, $tests) = split(/ /, slurp($boots_file));
    Test::More->builder()->current_test($tests);
}

# --- paths ---

# The disks that are paths to a LUN, sorted.
sub paths_of($wwid) {
    my $id = 'naa.' . substr($wwid, 1);
    my @devices = grep { slurp("$_/device/wwid") =~ m/^\Q$id\E$/m } glob('/sys/block/sd*');
    return sort map { m!([^/]+)\z! } @devices;
}

# A path fails ('offline') and returns ('running').
sub set_path($disk, $state) {
    return spew("/sys/block/$disk/device/state", "$state\n");
}

# A path is taken away, as when a LUN is no longer exported over it.
sub remove_path($disk) {
    return spew("/sys/block/$disk/device/delete", "1\n");
}

# All paths are found that are there.
sub rescan() {
    spew("$_/scan", "- - -\n") for glob('/sys/class/scsi_host/host*');
    must('udevadm', 'settle', '--timeout=60');
    return;
}

# --- what there is ---

# The kernel's multipath maps: { WWID => name }.
sub kernel_maps() {
    my $maps = {};
    for (split(/\n/, must('dmsetup', 'info', '-c', '--noheadings', '--separator', ' ', '-o', 'name,uuid'))) {
        $maps->{$2} = $1 if m/\A(\S+) mpath-(\S+)\z/;
    }
    return $maps;
}

# The paths of a map as the kernel has them: { disk => 'active' or 'failed' }.
sub kernel_paths($name) {
    my $paths = {};
    my $status = must('dmsetup', 'status', '--noflush', $name);
    while ($status =~ m/ (\d+:\d+) ([AF]) /g) {
        my ($number, $state) = ($1, $2);
        # a disk that is gone has no name any more
        my $disk = (readlink("/sys/dev/block/$number") // $number) =~ s!.*/!!r;
        $paths->{$disk} = $state eq 'A' ? 'active' : 'failed';
    }
    return $paths;
}

# The maps that multipathd knows: { WWID => name }.
sub daemon_maps() {
    my $out = must('multipathd', 'show', 'maps', 'raw', 'format', '%w %n');
    # without maps it says "ok"
    return { map { split(/ /) } grep { m/ / } split(/\n/, $out) };
}

# What pvemultipath tells of the maps: { WWID => map }.
sub our_maps() {
    my $res = run(qw(pvemultipath maps --output-format json));
    die "'pvemultipath maps' failed: $res->{err}\n" if $res->{code} > 2;
    return { map { $_->{wwid} => $_ } JSON::PP->new()->utf8()->decode($res->{out})->@* };
}

# The entries of the node's allow-list, sorted.
sub wwids() {
    return [] if !-e '/etc/multipath/wwids';
    my @wwids = slurp('/etc/multipath/wwids') =~ m!^/(.*)/$!mg;
    return [sort @wwids];
}

# What identifies the files below some folders as the same: { path => inode, size and time of change }.
sub files_below(@folders) {
    my $files = {};
    for (split(/\0/, must('find', @folders, '-type', 'f', '-printf', '%p %i %s %C@\0'))) {
        my ($path, $rest) = m/\A(.*) (\d+ \d+ [\d.]+)\z/s or die "find answers '$_'\n";
        $files->{$path} = $rest;
    }
    return $files;
}

# --- the package ---

sub install_package() {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $res = run('dpkg', '--install', glob('/source/target/machine/deb/libpve-multipath-perl_*.deb'));
    is($res->{code}, 0, 'the package installs on a plain Debian') or diag("$res->{out}$res->{err}");
    return;
}

# --- the cluster's configuration ---

# What the cluster file system has: texts, or undef if there is no such file. As the real one, it is not
# mounted when the machine boots.
sub configure($config, $overrides = undef) {
    if (!-e '/etc/pve/.version') {
        mkdir('/etc/pve');
        must('mount', '-t', 'tmpfs', 'pve', '/etc/pve');
    }
    for (['.version', "{}\n"], ['multipath.cfg', $config], ['multipath-overrides.conf', $overrides]) {
        my ($name, $text) = @$_;
        unlink("/etc/pve/$name");
        spew("/etc/pve/$name", $text) if defined($text);
    }
    return;
}

sub apply() {
    return run('pvemultipath', 'apply');
}

1;
