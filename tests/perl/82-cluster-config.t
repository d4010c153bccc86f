#!/usr/bin/perl

# The configuration in pmxcfs: on a stock PVE::Cluster, and on one that knows the files.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/lib/double";

use File::Temp qw(tempdir);
use Test::More;

use MultipathTest qw(slurp spew warnings_of);
use PVE::Cluster;
use PVE::Exception;
use PVE::Multipath::Config;
use PVE::Multipath::Source;
use PVE::Multipath::State;
use PVE::Tools;

my $overrides = "devices {\n\tdevice {\n\t\tvendor A\n\t\tproduct B\n\t}\n}\n";

my sub failure($code) {
    return eval { $code->(); 1 } ? undef : $@;
}

for my $observed (0, 1) {
    my $what = $observed ? 'known files' : 'stock';
    $PVE::Cluster::dir = $PVE::Multipath::Source::PMXCFS = tempdir(CLEANUP => 1);
    $PVE::Cluster::observed = { map { $_ => $observed } qw(multipath.cfg multipath-overrides.conf) };
    delete $INC{'PVE/Multipath/ClusterConfig.pm'};
    warnings_of(sub() { require PVE::Multipath::ClusterConfig }); # of the second time
    spew("$PVE::Cluster::dir/.version", '');

    my $file = "$PVE::Cluster::dir/multipath.cfg";
    my $read = \&PVE::Multipath::ClusterConfig::read_config;
    is_deeply($read->()->{ids}, {}, "$what: what is absent is empty");
    is(PVE::Multipath::ClusterConfig::read_overrides(), '', "$what: the overrides as well");

    @PVE::Cluster::locked = ();
    my $res = PVE::Multipath::ClusterConfig::lock_config(sub {
        my $cfg = PVE::Multipath::Config::add_wwid($read->(), '3600a', { alias => 'one' });
        PVE::Multipath::ClusterConfig::write_config($cfg);
        return 'done';
    });
    is($res, 'done', "$what: a change under the lock");
    is(slurp($file), "wwid: 3600a\n\talias one\n\n", "$what: is written");
    PVE::Multipath::ClusterConfig::lock_overrides(sub { });
    is_deeply(
        \@PVE::Cluster::locked, [('domain-multipath') x 2],
        "$what: under the same lock on all nodes, which the overrides have as well",
    );
    is($read->()->{ids}->{'3600a'}->{alias}, 'one', "$what: and read");

    is_deeply(
        PVE::Multipath::ClusterConfig::write_overrides("$overrides\n \n"), [],
        "$what: overrides, without a warning",
    );
    is(slurp("$PVE::Cluster::dir/multipath-overrides.conf"), $overrides, "$what: end in a line feed");
    is(PVE::Multipath::ClusterConfig::read_overrides(), $overrides, "$what: and are read");
    is(
        scalar(PVE::Multipath::ClusterConfig::write_overrides("defaults {\n\tbogus 1\n}\n")->@*), 1,
        "$what: what is doubtful is told",
    );
    like(
        failure(sub { PVE::Multipath::ClusterConfig::write_overrides("defaults {\n") }),
        qr/\Amultipath overrides: line \d+: /, "$what: errors are refused",
    );
    is(
        PVE::Multipath::ClusterConfig::read_overrides(), "defaults {\n\tbogus 1\n}\n",
        "$what: and the last good text stays",
    );

    my $lock = \&PVE::Multipath::ClusterConfig::lock_config;
    my $change = sub {
        PVE::Multipath::Config::add_wwid($read->(), "3600b\n");
    };
    my $err = failure(sub { $lock->($change, 'it failed') });
    ok(ref($err) && $err->is_param_exc(), "$what: a parameter's error stays one under the lock");
    like($err->{errors}->{wwid}, qr/invalid character/, "$what: with the parameter's name");
    is(failure(sub { $lock->(sub { die "no\n" }, 'it failed') }), "it failed: no\n",
        "$what: a text gets one before it");
    is(failure(sub { $lock->(sub { die "no\n" }) }), "no\n", "$what: or none");
    {
        local $PVE::Cluster::quorate = 0;
        like(failure(sub { $lock->(sub { }, 'it failed') }), qr/\Ait failed: cfs-lock .*no quorum/,
            "$what: without quorum");
    }

    # a lock in a lock
    for my $inner (\&PVE::Multipath::ClusterConfig::lock_overrides, $lock) {
        @PVE::Cluster::locked = ();
        my $called = 0;
        my $err = failure(sub { $lock->(sub { $inner->(sub { $called = 1 }) }, 'it failed') });
        like($err, qr/\Ait failed: the lock of .* is already taken by this process\n\z/, "$what: no lock in a lock");
        is_deeply([$called, @PVE::Cluster::locked], [0, 'domain-multipath'], "$what: nor a wait for it");
        is($lock->(sub { return 'free' }), 'free', "$what: afterwards it is free");
    }

    # pveproxy's log must not fill
    spew($file, "pool: x\n\ty\n\nwidd: 3600a\n\nwwid: 3600a\n\tno-path-retry never\n\n");
    my ($cfg_of_it, @warnings) = warnings_of($read);
    is_deeply(\@warnings, [], "$what: reading does not warn");
    is(scalar(PVE::Multipath::Config::problems($cfg_of_it)->@*), 3, "$what: problems() lists it");
    spew($file, "wwid: 3600a\n\talias one\n\n");

    # as the command line does it
    my $source = PVE::Multipath::Source->live();
    my ($cfg, $changed) = $source->change_config(sub($cfg) {
        return PVE::Multipath::Config::remove_alias($cfg, '3600a');
    });
    is($changed, 1, "$what: a change of the cluster's configuration");
    is(slurp($file), "wwid: 3600a\n\n", "$what: is written");
    is($cfg->{digest}, $read->()->{digest}, "$what: and given back");
    ($cfg, $changed) = $source->change_config(sub($cfg) { return $cfg });
    is($changed, 0, "$what: what changes nothing is not");

    # a file that an editor is saving
    for my $half ('', "wwid: 3600a\n\nwwid: 36") {
        my $shown = length($half) ? 'half a file' : 'an empty file';
        local $PVE::Multipath::State::current = PVE::Multipath::State->new();
        my $reads = 0;
        no warnings 'redefine';
        local *Time::HiRes::sleep = sub($) {
            spew($file, "wwid: 3600a\n\nwwid: 3600c\n\n") if ++$reads == 2;
        };
        spew($file, $half);
        $source->change_config(sub($cfg) { PVE::Multipath::Config::add_wwid($cfg, '3600b') });
        is(slurp($file), "wwid: 3600a\n\nwwid: 3600c\n\nwwid: 3600b\n\n",
            "$what: $shown is not changed before it is saved");
        is($reads, 2, "$what: and the wait is over then");

        # it is not being saved
        local *PVE::Multipath::Source::monotonic = sub() { return $reads / 5 };
        spew($file, $half);
        $source->change_config(sub($cfg) { PVE::Multipath::Config::add_wwid($cfg, '3600d') });
        like(slurp($file), qr/^wwid: 3600d$/m, "$what: $shown that stays so is changed");

        no warnings 'once';
        local $PVE::Multipath::ClusterConfig::SAVE_TIMEOUT = 0;
        local *Time::HiRes::sleep = sub($) { $reads++; spew($file, 'x' x $reads) };
        spew($file, 'x');
        my $change = sub { $source->change_config(sub($cfg) { return $cfg }) };
        like(failure($change), qr/multipath\.cfg.* try again\n\z/, "$what: the wait has an end");
        spew($file, "wwid: 3600a\n\n");
    }

    # what cannot be read is never empty
    unlink("$PVE::Cluster::dir/$_") for qw(.version multipath.cfg multipath-overrides.conf);
    like(failure($read), qr/not mounted|Connection refused/, "$what: pmxcfs is gone");
    like(
        failure(\&PVE::Multipath::ClusterConfig::read_overrides), qr/not mounted|Connection refused/,
        "$what: for the overrides as well",
    );
    next if $observed;
    # else pmxcfs could not be mounted any more
    my $write = sub { PVE::Multipath::ClusterConfig::write_config($cfg) };
    like(failure($write), qr/not mounted/, "$what: nothing is written below the mount point");
    is_deeply([glob("$PVE::Cluster::dir/*")], [], "$what: which stays empty");
}

done_testing();
